/**
 * Passwords as Argon2id hashes in PHC string format, `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
 *
 * Guarantees: at most `concurrency` hashes are computed at once and at most `queue` wait (then `busy` is thrown), so that
 * a flood of logins neither exhausts memory (19 MiB each) nor starves the other routes of the thread pool; a hash that
 * was made with lesser parameters than today's is still verified, and says that it should be made anew.
 *
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html m=19 MiB, t=2, p=1
 * @see https://www.rfc-editor.org/rfc/rfc9106 Argon2, and
 *   https://github.com/P-H-C/phc-string-format for the format
 */
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { ApiError } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'

export interface Passwords {
  hash(password: string): Promise<string>
  /** Takes as long for an `undefined` hash (an unknown user) as for a real one, and says `false`. */
  verify(password: string, hash: string | undefined): Promise<boolean>
  needsRehash(hash: string): boolean
}

export interface PasswordOptions {
  /** KiB, as Argon2 counts. */
  readonly memory?: number
  readonly passes?: number
  readonly concurrency?: number
  readonly queue?: number
}

interface Parameters {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

const TAG_BYTES = 32
const SALT_BYTES = 16

export function passwords(options: PasswordOptions = {}): Passwords {
  const { memory = 19_456, passes = 2, concurrency = 2, queue = 256 } = options
  const today: Parameters = { memory, passes, parallelism: 1 }
  const inTurn = boundedConcurrency(concurrency, queue)
  const nobody = derive(randomBytes(18).toString('base64'), randomBytes(SALT_BYTES), today).then((tag) =>
    phcString(today, randomBytes(SALT_BYTES), tag),
  )

  return {
    hash(password) {
      const salt = randomBytes(SALT_BYTES)
      return inTurn(async () => phcString(today, salt, await derive(password, salt, today)))
    },
    verify(password, hash) {
      return inTurn(async () => {
        const known = parsePhcString(hash ?? (await nobody))
        const tag = await derive(password, known.salt, known)
        return hash !== undefined && tag.byteLength === known.tag.byteLength && timingSafeEqual(tag, known.tag)
      })
    },
    needsRehash(hash) {
      const known = parsePhcString(hash)
      return known.memory < today.memory || known.passes < today.passes
    },
  }
}

/** NFKC, so that a password typed on another keyboard or system is the same password (NIST SP 800-63B §3.1.1.2). */
function derive(password: string, nonce: Uint8Array, parameters: Parameters): Promise<Buffer> {
  const request: Argon2Parameters = {
    message: password.normalize('NFKC'),
    nonce,
    parallelism: parameters.parallelism,
    memory: parameters.memory,
    passes: parameters.passes,
    tagLength: TAG_BYTES,
  }
  return new Promise((resolve, reject) => {
    argon2('argon2id', request, (error, tag) => (error ? reject(error) : resolve(tag)))
  })
}

function phcString({ memory, passes, parallelism }: Parameters, salt: Uint8Array, tag: Uint8Array): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`
}

const phcForm =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/

function parsePhcString(hash: string): Parameters & { readonly salt: Buffer; readonly tag: Buffer } {
  const parts = phcForm.exec(hash)
  if (parts === null) throw new Error('a password hash is not in the PHC format of Argon2id')
  const [, memory, passes, parallelism, salt = '', tag = ''] = parts
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}

function boundedConcurrency(concurrency: number, queue: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0

  return async (task) => {
    if (running >= concurrency) {
      if (waiting.length >= queue) throw new ApiError('SERVICE_UNAVAILABLE', refused.busy, { retryAfterSeconds: 5 })
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else {
      running += 1
    }
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next() // the place is handed on
    }
  }
}
