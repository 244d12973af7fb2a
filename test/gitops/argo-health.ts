/** The health checks that the chart ships for Argo CD, run by a real Lua (5.4, as WebAssembly) on an object as Argo CD hands it over. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LuaFactory } from 'wasmoon'
import { chart } from '../chart/helm.ts'

export interface ArgoHealth {
  readonly status: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended'
  readonly message?: string
}

type Script = 'health.lua' | 'application.lua'

export async function healthScript(script: Script = 'health.lua'): Promise<string> {
  return readFile(join(chart, 'files/argocd', script), 'utf8')
}

const factory = new LuaFactory()

/** A state of its own for each object, as Argo CD does it too. */
export async function argoHealth(object: object, script?: Script): Promise<ArgoHealth> {
  const lua = await factory.createEngine()
  try {
    return await lua.doString(`obj = ${luaLiteral(JSON.parse(JSON.stringify(object)))}\n${await healthScript(script)}`)
  } finally {
    lua.global.close()
  }
}

/** A JSON value as Lua source: objects and lists are tables, `null` is nothing. */
function luaLiteral(value: unknown): string {
  if (value === null || value === undefined) return 'nil'
  if (Array.isArray(value)) return `{${value.map(luaLiteral).join(', ')}}`
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(([key, field]) => `[${luaText(key)}] = ${luaLiteral(field)}`)
    return `{${fields.join(', ')}}`
  }
  return typeof value === 'string' ? luaText(value) : String(value)
}

/** Every byte by its number: what Lua and JSON escape differs. */
function luaText(text: string): string {
  return `"${[...Buffer.from(text)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`
}
