/**
 * A vitest reporter that closes the run with one plain line: `212 passed, 0 failed`, or `210 passed, 1 failed, 1 skipped`.
 *
 * Guarantees: what failed before it became a test (a file that cannot be loaded, an error nobody caught) counts as failed.
 */
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

export function closingLine(): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      console.log(`\n${summarise(modules, unhandledErrors)}`)
    },
  }
}

export function summarise(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): string {
  const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      count[state === 'passed' || state === 'skipped' ? state : 'failed'] += 1
    }
    const suites = [module, ...module.children.allSuites()]
    count.failed += suites.filter((suite) => suite.errors().length > 0).length
  }
  return `${count.passed} passed, ${count.failed} failed${count.skipped === 0 ? '' : `, ${count.skipped} skipped`}`
}
