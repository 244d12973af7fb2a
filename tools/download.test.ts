import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checksumFor, download } from './download.ts'

const content = Buffer.alloc(300_000, 'skyclust')
const digest = createHash('sha256').update(content).digest('hex')

let directory: string
let to: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-download-'))
  to = join(directory, 'program')
})
afterEach(() => rm(directory, { recursive: true }))

/** A release host on loopback; answers with what the listener does. */
async function releaseHost(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/program`
  return {
    options: { url, checksumUrl: `${url}.sha256`, to, fetch },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

const serving =
  (checksum: string): RequestListener =>
  (request, response) =>
    request.url?.endsWith('.sha256') ? response.end(checksum) : response.end(content)

describe('download', () => {
  it('has the whole file there once its checksum agrees, and says how far it is', async () => {
    await using host = await releaseHost(serving(digest))
    const notes: string[] = []

    await download({ ...host.options, note: (state) => notes.push(state) })

    expect((await readFile(to)).equals(content)).toBe(true)
    expect(notes.at(-1)).toBe('0.3 MB of 0.3 MB')
  })

  it('leaves nothing of a file whose checksum differs, and says both', async () => {
    await using host = await releaseHost(serving('0'.repeat(64)))

    await expect(download(host.options)).rejects.toThrow(
      `has SHA-256 ${digest}, published is ${'0'.repeat(64)}: not used`,
    )
    expect(await readdir(directory)).toEqual([])
  })

  it('leaves nothing of a file that breaks off', async () => {
    await using host = await releaseHost((request, response) => {
      if (request.url?.endsWith('.sha256')) return void response.end(digest)
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 1000), () => response.destroy())
    })

    await expect(download(host.options)).rejects.toThrow(host.options.url)
    expect(await readdir(directory)).toEqual([])
  })

  it('gives up soon on a host that accepts and never answers', async () => {
    await using host = await releaseHost(() => undefined)

    await expect(download({ ...host.options, firstByteMs: 50 })).rejects.toThrow('nothing came for')
  })

  it('gives up on a download that stands still', async () => {
    await using host = await releaseHost((request, response) => {
      if (request.url?.endsWith('.sha256')) return void response.end(digest)
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 1000))
    })

    await expect(download({ ...host.options, stallMs: 50 })).rejects.toThrow('nothing came for')
    expect(await readdir(directory)).toEqual([])
  })

  it('says in one line what was asked for and how it was refused', async () => {
    await using host = await releaseHost((_request, response) => void response.writeHead(404).end())

    await expect(download(host.options)).rejects.toThrow(`${host.options.checksumUrl}: HTTP 404`)
  })

  it('stops with its signal', async () => {
    await using host = await releaseHost(() => undefined)

    const stopped = download({ ...host.options, signal: AbortSignal.timeout(20) })

    await expect(stopped).rejects.toThrow(/timeout/i)
  })
})

describe('checksumFor', () => {
  it('reads a bare digest, and the right line of a list', () => {
    expect(checksumFor('program', `${digest}\n`)).toBe(digest)
    expect(checksumFor('b.zip', `${'1'.repeat(64)}  a.zip\n${digest.toUpperCase()} *b.zip\n`)).toBe(digest)
  })

  it('finds nothing in a list without the file, or in an error page', () => {
    expect(checksumFor('c.zip', `${digest}  a.zip\n`)).toBeUndefined()
    expect(checksumFor('c.zip', '<html>Not found</html>')).toBeUndefined()
  })
})
