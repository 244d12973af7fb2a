/**
 * The port of last time, in a file beside the runs that know it: runners that outlived a killed controller find the next one there.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const fileIn = (folder: string) => join(folder, 'port')

export async function rememberedPort(folder: string): Promise<number | undefined> {
  const port = Number(await readFile(fileIn(folder), 'utf8').catch(() => ''))
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

export async function rememberPort(folder: string, port: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(fileIn(folder), String(port))
}
