/**
 * An issuer that does wrong what it is told to do wrong. It speaks as much OIDC as a client needs (discovery, keys, token
 * endpoint), signs with its own RSA key, and issues a code for whatever authorization URL it is shown.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

interface Answer {
  readonly status: number
  readonly body: string
  readonly type?: string
}

export interface Misbehaviour {
  /** Changes what the ID token claims; a claim that is `undefined` is left out. */
  readonly claims?: (claims: Record<string, unknown>) => Record<string, unknown>
  readonly sign?: 'with a stranger’s key' | 'with the client secret' | 'not at all' | 'badly'
  readonly idToken?: 'missing'
  readonly token?: Answer
  readonly discovery?: Answer | 'other issuer' | 'silent'
  readonly keys?: 'gone'
  /** Gives tokens for a code that was redeemed before. */
  readonly codes?: 'again and again'
}

export interface MisbehavingIssuer extends AsyncDisposable {
  readonly issuer: string
  does: Misbehaviour
  /** What the browser brings back from that authorization URL. */
  authorize(authUrl: string): { readonly code: string; readonly state: string }
  readonly discoveries: () => number
}

export async function startMisbehavingIssuer({ clientId, clientSecret }: { clientId: string; clientSecret: string }) {
  const own = await generateKeyPair('RS256')
  const stranger = await generateKeyPair('RS256')
  const codes = new Map<string, { nonce: string; challenge: string; used: boolean }>()
  let issued = 0
  let discoveries = 0
  let issuer = ''

  async function idToken(nonce: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const proper = { iss: issuer, sub: 'mallory', aud: clientId, iat: now, exp: now + 300, nonce }
    const identity = { email: 'mallory@example.com', name: 'Mallory' }
    const claims = { ...proper, ...identity }
    const jwt = new SignJWT(self.does.claims?.(claims) ?? claims)
    switch (self.does.sign) {
      case 'not at all': {
        const signed = await jwt.setProtectedHeader({ alg: 'RS256', kid: 'own' }).sign(own.privateKey)
        const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
        return `${header}.${signed.split('.')[1]}.`
      }
      case 'with the client secret':
        return jwt.setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(clientSecret))
      case 'with a stranger’s key':
        return jwt.setProtectedHeader({ alg: 'RS256', kid: 'own' }).sign(stranger.privateKey)
      case 'badly': {
        const signed = await jwt.setProtectedHeader({ alg: 'RS256', kid: 'own' }).sign(own.privateKey)
        return `${signed.slice(0, -8)}AAAAAAAA`
      }
      default:
        return jwt.setProtectedHeader({ alg: 'RS256', kid: 'own' }).sign(own.privateKey)
    }
  }

  async function token(form: URLSearchParams): Promise<Answer> {
    if (self.does.token) return self.does.token
    const code = codes.get(form.get('code') ?? '')
    const verifier = await crypto.subtle.digest('SHA-256', Buffer.from(form.get('code_verifier') ?? ''))
    const isProven = code?.challenge === Buffer.from(verifier).toString('base64url')
    if (!code || !isProven || (code.used && self.does.codes !== 'again and again')) {
      return { status: 400, body: JSON.stringify({ error: 'invalid_grant', error_description: 'no such code' }) }
    }
    code.used = true
    const tokens = { access_token: 'opaque', token_type: 'Bearer', expires_in: 300 }
    const proof = self.does.idToken === 'missing' ? {} : { id_token: await idToken(code.nonce) }
    return { status: 200, body: JSON.stringify({ ...tokens, ...proof }) }
  }

  function discovery(): Answer | undefined {
    discoveries += 1
    const { discovery: told } = self.does
    if (told === 'silent') return undefined
    if (typeof told === 'object') return told
    const metadata = {
      issuer: told === 'other issuer' ? 'https://elsewhere.example' : issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    }
    return { status: 200, body: JSON.stringify(metadata) }
  }

  async function keys(): Promise<Answer> {
    if (self.does.keys === 'gone') return { status: 503, body: 'gone' }
    const jwk = { ...(await exportJWK(own.publicKey)), kid: 'own', use: 'sig', alg: 'RS256' }
    return { status: 200, body: JSON.stringify({ keys: [jwk] }) }
  }

  const server = createServer(async (request, response) => {
    const answer =
      request.url === '/token'
        ? await token(new URLSearchParams(await bodyOf(request)))
        : request.url === '/keys'
          ? await keys()
          : discovery()
    if (!answer) return // says nothing, and keeps the connection open
    response.writeHead(answer.status, { 'content-type': answer.type ?? 'application/json' })
    response.end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const self: MisbehavingIssuer = {
    issuer,
    does: {},
    authorize(authUrl) {
      const asked = new URL(authUrl).searchParams
      issued += 1
      const code = `code-${issued}`
      const challenge = asked.get('code_challenge') ?? ''
      codes.set(code, { nonce: asked.get('nonce') ?? '', challenge, used: false })
      return { code, state: asked.get('state') ?? '' }
    },
    discoveries: () => discoveries,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return self
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
