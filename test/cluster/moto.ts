/**
 * A real EC2- and STS-speaking server: moto's, on a port of its own.
 *
 * Guarantees: empty at its start, ready when the promise resolves, gone with the test process however that ends.
 * Caveats: it does not honour EC2's `ClientToken`, and takes any credentials.
 */
import { homedir } from 'node:os'
import { createInterface } from 'node:readline'
import { describeExit, startGuarded } from '../../tools/guarded-process.ts'
import { workshop } from '../../tools/workshop.ts'

export interface Moto extends AsyncDisposable {
  /** For `AWS_ENDPOINT_URL`. */
  readonly url: string
  readonly pid: number
  /** Forgets everything, as if started anew. */
  reset(): Promise<void>
  stop(): Promise<void>
}

export interface StartMotoOptions {
  /** moto's own variables, as `MOTO_EC2_LOAD_DEFAULT_AMIS`. */
  readonly env?: Readonly<Record<string, string>>
}

export async function startMoto({ env = {} }: StartMotoOptions = {}): Promise<Moto> {
  const command = await workshop({ environment: process.env, home: homedir() }).moto()
  const child = startGuarded({
    command,
    args: ['-H', '127.0.0.1', '-p', '0'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONUNBUFFERED: '1', ...env },
  })
  const url = await new Promise<string>((resolve, reject) => {
    const words: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        words.push(line)
        const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)
        if (found?.[1] !== undefined) resolve(found[1])
      })
    }
    void child.exited.then((exit) =>
      reject(new Error(`moto_server ended (${describeExit(exit)}):\n${words.join('\n')}`)),
    )
  })
  const stop = async () => void (await child.stop(0))

  return {
    url,
    pid: child.pid,
    async reset() {
      const answer = await fetch(`${url}/moto-api/reset`, { method: 'POST' })
      if (!answer.ok) throw new Error(`moto does not reset: HTTP ${answer.status}`)
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
