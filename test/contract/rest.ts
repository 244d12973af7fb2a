/** REST as a client speaks it: fetch, and nothing of ours. */

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Parsed; `undefined` for an answer that is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  readonly body: any
}

export interface CallOptions {
  readonly body?: unknown
  /** Instead of `body`, as it is. */
  readonly raw?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export interface Rest {
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  get(path: string, options?: CallOptions): Promise<Answer>
  post(path: string, options?: CallOptions): Promise<Answer>
  put(path: string, options?: CallOptions): Promise<Answer>
  patch(path: string, options?: CallOptions): Promise<Answer>
  delete(path: string, options?: CallOptions): Promise<Answer>
}

/** @param always headers of every call */
export function rest(url: string, always: Readonly<Record<string, string>> = {}): Rest {
  async function call(method: string, path: string, { body, raw, headers }: CallOptions = {}): Promise<Answer> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const answer = await fetch(url + path, {
      method,
      headers: { ...(payload !== undefined && { 'content-type': 'application/json' }), ...always, ...headers },
      ...(payload !== undefined && { body: payload as string }),
    })
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') && text !== ''
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined }
  }
  const withMethod = (method: string) => (path: string, options?: CallOptions) => call(method, path, options)
  return {
    call,
    get: withMethod('GET'),
    post: withMethod('POST'),
    put: withMethod('PUT'),
    patch: withMethod('PATCH'),
    delete: withMethod('DELETE'),
  }
}

/** Somebody who is logged in. */
export interface Person extends Rest {
  readonly id: string
  readonly email: string
  readonly password: string
  readonly name: string
  readonly token: string
  /** The same person, with the same token, at another replica or in another language. */
  at(url: string, headers?: Readonly<Record<string, string>>): Rest
}

export async function person(
  url: string,
  account: { readonly email: string; readonly password: string; readonly name: string },
): Promise<Person> {
  const { email, password } = account
  const answer = await rest(url).post('/api/v1/auth/login', { body: { email, password } })
  if (answer.status !== 200) throw new Error(`${account.name} could not log in: ${answer.text}`)
  const { token, user } = answer.body.data
  const authorization = `Bearer ${token}`
  return {
    ...account,
    ...rest(url, { authorization }),
    id: user.id,
    token,
    at: (otherUrl, headers = {}) => rest(otherUrl, { authorization, ...headers }),
  }
}

/** Asks until the answer is as wanted. Throws with the last answer after `timeoutMs`. */
export async function until(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
  timeoutMs = 180_000,
): Promise<Answer> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (wanted(answer)) return answer
    if (performance.now() > deadline) throw new Error(`after ${timeoutMs} ms: ${answer.status} ${answer.text}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
