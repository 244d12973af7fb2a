/**
 * Compute Engine's messages as Google publishes them, in `@google-cloud/compute`: what a request may hold, and what our server
 * may answer. A field that is not in them is refused in the words that Google has for it.
 */
import { createRequire } from 'node:module'
import { GceRefusal } from './refusal.ts'

interface Field {
  readonly type: string
  readonly rule?: 'repeated'
  readonly keyType?: string
}

interface Message {
  readonly fields?: Readonly<Record<string, Field>>
  readonly values?: Readonly<Record<string, number>>
  readonly nested?: Readonly<Record<string, Message>>
}

let loaded: Readonly<Record<string, Message>> | undefined

function messages(): Readonly<Record<string, Message>> {
  if (loaded) return loaded
  const require = createRequire(import.meta.url)
  const { nested } = require('@google-cloud/compute/build/protos/protos.json') as Message
  loaded = nested?.google?.nested?.cloud?.nested?.compute?.nested?.v1?.nested ?? {}
  return loaded
}

/** Throws a refusal that names the first field that does not fit. */
export function checkMessage(name: string, value: unknown, at: string): void {
  const message = messages()[name]
  if (!message) throw new Error(`Compute Engine has no message ${name}`)
  check(message, value, at)
}

function check(message: Message, value: unknown, at: string): void {
  if (!isObject(value)) throw unfit(at, value)
  for (const [key, inner] of Object.entries(value)) {
    const field = message.fields?.[key]
    if (!field) {
      const words = `Invalid JSON payload received. Unknown name "${key}" at '${at}': Cannot find field.`
      throw new GceRefusal(400, 'badRequest', words)
    }
    checkField(message, field, inner, `${at}.${key}`)
  }
}

function checkField(message: Message, field: Field, value: unknown, at: string): void {
  if (field.keyType) {
    if (!isObject(value)) throw unfit(at, value)
    for (const [key, inner] of Object.entries(value)) checkValue(message, field.type, inner, `${at}[${key}]`)
  } else if (field.rule === 'repeated') {
    if (!Array.isArray(value)) throw unfit(at, value)
    for (const [index, inner] of value.entries()) checkValue(message, field.type, inner, `${at}[${index}]`)
  } else checkValue(message, field.type, value, at)
}

function checkValue(message: Message, type: string, value: unknown, at: string): void {
  const fits = scalars[type]
  if (fits) {
    if (!fits(value)) throw unfit(at, value)
    return
  }
  const inner = message.nested?.[type] ?? messages()[type]
  if (!inner) throw new Error(`Compute Engine has no message ${type}`)
  if (!inner.values) check(inner, value, at)
  else if (typeof value !== 'string' || !(value in inner.values)) throw unfit(at, value)
}

/** Numbers of 64 bits are strings in proto3's JSON. */
const scalars: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  int32: (value) => Number.isInteger(value),
  uint32: (value) => Number.isInteger(value),
  float: (value) => typeof value === 'number',
  double: (value) => typeof value === 'number',
  int64: (value) => typeof value === 'string' && /^-?\d+$/.test(value),
  uint64: (value) => typeof value === 'string' && /^\d+$/.test(value),
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unfit(at: string, value: unknown): GceRefusal {
  return new GceRefusal(400, 'badRequest', `Invalid value at '${at}': ${JSON.stringify(value)}`)
}
