/** The transport to a simulated cloud that is a process of its own. Connections are kept alive and bounded. */
import { Agent, request as httpRequest } from 'undici'
import type { SimTransport } from './exchange.ts'
import type { SimAnswer } from './wire.ts'

const CONNECTIONS = 64

export interface HttpTransport extends SimTransport {
  close(): Promise<void>
}

export function httpTransport(url: string | URL): HttpTransport {
  // The deadline of each call is the client's; the server closes idle connections after ours are gone.
  const dispatcher = new Agent({ connections: CONNECTIONS, keepAliveTimeout: 4_000, headersTimeout: 0, bodyTimeout: 0 })
  return {
    async send({ action, region, accessKey, secretKey, input }, signal) {
      const response = await httpRequest(new URL(`/api/${region}/${action}`, url), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Basic ${Buffer.from(`${accessKey}:${secretKey}`).toString('base64')}`,
        },
        body: JSON.stringify(input),
        signal,
        dispatcher,
      })
      return (await response.body.json()) as SimAnswer
    },
    close: () => dispatcher.close(),
  }
}
