/**
 * How a state or a plan file lies in the cluster: gzip, then AES-256-GCM, as one self-describing run of bytes.
 *
 * Guarantees: what comes out of `open` is, to the byte, what went into `seal`; anything else throws. A blob
 * opens only under the name it was sealed for (`boundTo` is authenticated), so that whoever can move Secrets
 * about cannot give one stack the state of another.
 *
 * Layout: magic `SKB1` (4) · key id (8, ASCII hex) · nonce (12) · ciphertext · tag (16). The nonce is random;
 * with one key, 2³² blobs stay within the bound of NIST SP 800-38D, section 8.3.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

/** A key and the name under which the keyring knows it: eight hexadecimal digits. */
export interface SealingKey {
  readonly id: string
  /** 32 bytes. */
  readonly secret: Uint8Array
}

const magic = Buffer.from('SKB1')
const idBytes = 8
const nonceBytes = 12
const tagBytes = 16
const headerBytes = magic.length + idBytes + nonceBytes

/** Nothing larger is unpacked: a forged blob must not fill the memory. */
const maxPlainBytes = 512 * 1024 * 1024

const zip = promisify(gzip)
const unzip = promisify(gunzip)

export async function seal(options: {
  readonly plain: Uint8Array
  readonly key: SealingKey
  readonly boundTo: string
  readonly randomBytes: (count: number) => Uint8Array
}): Promise<Buffer> {
  const { plain, key, boundTo, randomBytes } = options
  const nonce = Buffer.from(randomBytes(nonceBytes))
  const header = Buffer.concat([magic, Buffer.from(key.id, 'ascii'), nonce])
  const cipher = createCipheriv('aes-256-gcm', key.secret, nonce, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.concat([header, Buffer.from(boundTo)]))
  const packed = await zip(plain)
  return Buffer.concat([header, cipher.update(packed), cipher.final(), cipher.getAuthTag()])
}

/** The id of the key that opens this blob. */
export function keyIdOf(blob: Uint8Array): string {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  if (bytes.length < headerBytes + tagBytes || !bytes.subarray(0, magic.length).equals(magic)) {
    throw new Error('this is not a sealed blob of this program, or it has been cut short')
  }
  return bytes.subarray(magic.length, magic.length + idBytes).toString('ascii')
}

/** @throws Error when a byte was changed, the key is another, or the blob was sealed for something else. */
export async function open(options: {
  readonly blob: Uint8Array
  readonly key: SealingKey
  readonly boundTo: string
}): Promise<Buffer> {
  const { blob, key, boundTo } = options
  const id = keyIdOf(blob)
  if (id !== key.id) throw new Error(`the blob was sealed with key ${id}, not with ${key.id}`)
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  const header = bytes.subarray(0, headerBytes)
  const nonce = header.subarray(headerBytes - nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', key.secret, nonce, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.concat([header, Buffer.from(boundTo)]))
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes))
  let packed: Buffer
  try {
    packed = Buffer.concat([decipher.update(bytes.subarray(headerBytes, bytes.length - tagBytes)), decipher.final()])
  } catch (cause) {
    throw new Error(`the blob for ${boundTo} is damaged, or was sealed for something else`, { cause })
  }
  return unzip(packed, { maxOutputLength: maxPlainBytes })
}
