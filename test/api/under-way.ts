/** A request of which one knows that the server has begun with it, before its answer. */

import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:http'
import type { Person } from '../contract/rest.ts'

export interface UnderWay {
  readonly answered: Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: unknown }>
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly body?: object
}

/** Resolves once the server has said `100 Continue`: by then it has read the head, and has sent nothing of the answer. */
export function underWay({ token }: Person, url: string, { method, path, body = {} }: Asked): Promise<UnderWay> {
  const text = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const asking = request(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        expect: '100-continue',
      },
    })
    const answered = new Promise<Awaited<UnderWay['answered']>>((resolveAnswer, rejectAnswer) => {
      asking.once('error', rejectAnswer)
      asking.once('response', async (response) => {
        const chunks = await response.toArray()
        const body = JSON.parse(Buffer.concat(chunks).toString())
        resolveAnswer({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
    })
    asking.once('error', reject)
    asking.once('continue', () => {
      asking.end(text)
      resolve({ answered })
    })
  })
}
