import { defineConfig } from 'vitest/config'
import { closingLine } from './tools/closing-line.ts'

/**
 * Two projects. `unit` stands beside the code, needs nothing but Node and answers in seconds (`make check`).
 * `cluster` is whatever crosses rooms: it runs against real servers on loopback, a file at a time beside
 * one other, because two cores carry no more.
 */
export default defineConfig({
  test: {
    reporters: ['default', closingLine()],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{config,crds,kube,clouds,controller,api,tracing,tools}/**/*.test.ts'],
          testTimeout: 60_000, // a machine that does other things as well is slow, not wrong
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['test/**/*.test.ts'],
          globalSetup: ['test/cluster/global-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 180_000 } }, // how long a wait may be says nothing: what passes does so at once
          maxWorkers: 2,
        },
      },
    ],
  },
})
