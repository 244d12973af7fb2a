/**
 * Stands where AWS would, keeps what it is asked, and answers what it is told to: for what EC2 does that no stand-in
 * for it can, and for the ways in which an answer goes wrong.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RecordingServer extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly RecordedRequest[]
  /** The parameters of the requests for that action, without `Action` and `Version`. */
  parametersOf(action: string): readonly Record<string, string>[]
}

export interface RecordedRequest {
  readonly action: string
  readonly parameters: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  /** Of the connection on which it came. */
  readonly connection: number | undefined
}

/** Answers the request, by action; left out, an empty answer that EC2 could give. */
export type Answer = (request: RecordedRequest, response: ServerResponse) => void

export async function recordingServer(answer: Answer = succeed): Promise<RecordingServer> {
  const requests: RecordedRequest[] = []
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const {
      Action = '',
      Version: _,
      ...parameters
    } = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
    const request = { action: Action, parameters, headers: incoming.headers, connection: incoming.socket.remotePort }
    requests.push(request)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    parametersOf: (action) =>
      requests.filter((request) => request.action === action).map(({ parameters }) => ({ ...parameters })),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const bodies: Readonly<Record<string, string>> = {
  RunInstances: '<instancesSet><item><instanceId>i-0123456789abcdef0</instanceId></item></instancesSet>',
  GetCallerIdentity:
    '<GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/a</Arn></GetCallerIdentityResult>',
  DescribeImages: '<imagesSet><item><rootDeviceName>/dev/xvda</rootDeviceName></item></imagesSet>',
}

export function succeed({ action }: RecordedRequest, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/xml' })
  response.end(`<${action}Response>${bodies[action] ?? ''}</${action}Response>`)
}

/** An error in EC2's own form. */
export function refuse(status: number, code: string, message: string): Answer {
  return (_, response) => {
    const requestId = 'ea966190-f9aa-478e-9ede-example'
    response.writeHead(status, { 'content-type': 'text/xml', 'x-amzn-requestid': requestId })
    response.end(
      `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`,
    )
  }
}
