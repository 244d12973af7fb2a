/**
 * Reads a file that a program writes to, as it grows.
 *
 * A file and not a pipe, because a pipe breaks when its reader is killed: tofu, being written in Go, dies of the next line it prints then,
 * in the middle of saving the state.
 */
import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'

export interface GrowingFile {
  /** For the program to write to. */
  readonly fd: number
  /** Reads what there still is, and lets go of the file. */
  close(): Promise<void>
}

const lookEveryMs = 100
const readBytes = 64 * 1024

export async function growingFile(path: string, onText: (text: string) => void): Promise<GrowingFile> {
  const written = await open(path, 'w', 0o600)
  const reader = await open(path, 'r')
  const decoder = new StringDecoder('utf8')
  const buffer = Buffer.alloc(readBytes)
  let reading = Promise.resolve()

  async function readOn(): Promise<void> {
    for (;;) {
      const { bytesRead } = await reader.read(buffer, 0, readBytes, null)
      if (bytesRead === 0) return
      onText(decoder.write(buffer.subarray(0, bytesRead)))
    }
  }
  const look = () => {
    reading = reading.then(readOn)
    return reading
  }
  const timer = setInterval(look, lookEveryMs)

  return {
    fd: written.fd,
    async close() {
      clearInterval(timer)
      await look()
      onText(decoder.end())
      await written.close()
      await reader.close()
    },
  }
}
