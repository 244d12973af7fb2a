/**
 * The settings of a process: declared once as an object, read from the environment and an optional
 * YAML file, validated whole at start.
 *
 * Guarantees: the environment wins over the file, the file over the default; every bad value gives
 * one line that names the variable and what would be right, and never shows a secret; `--help`
 * prints what is declared and nothing else. An empty variable counts as unset, as charts write it.
 * The file says a setting by its variable (`SKYCLUST_SYNC_INTERVAL: 30s`) or by its key here
 * (`syncInterval: 30s`); a key that means nothing is refused, because it is a typing error.
 * Variables that nobody declared are left alone: the two processes share an environment.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import type { z } from 'zod'

/** One variable. Its default is written as a user would write it, and goes through the schema too. */
export interface Setting<T> {
  readonly kind: 'setting'
  readonly variable: string
  readonly schema: z.ZodType<unknown, string>
  readonly default: string | undefined
  readonly help: string
  readonly secret: boolean
  /** Carries the type; never there. */
  readonly value?: T
}

/** Any number of named things with the same fields: `SKYCLUST_OIDC_<NAME>_ISSUER`, `…_CLIENT_ID`. */
export interface SettingFamily<T> {
  readonly kind: 'family'
  readonly prefix: string
  /** By key; each `variable` is the suffix, such as `_ISSUER`. One without default must be given. */
  readonly fields: Readonly<Record<string, Setting<unknown>>>
  readonly value?: T
}

export type Settings = Readonly<Record<string, Setting<unknown> | SettingFamily<unknown>>>

export type SettingValues<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends SettingFamily<infer T>
    ? Readonly<Record<string, T>>
    : S[K] extends Setting<infer T>
      ? T
      : never
}

interface SettingOptions<S> {
  readonly schema: S
  readonly help: string
  /** Its value is shown nowhere: not in an error, not by {@link shownSettings}. */
  readonly secret?: boolean
}

export function setting<S extends z.ZodType<unknown, string>>(
  variable: string,
  options: SettingOptions<S> & { readonly default: string },
): Setting<z.output<S>>
export function setting<S extends z.ZodType<unknown, string>>(
  variable: string,
  options: SettingOptions<S>,
): Setting<z.output<S> | undefined>
export function setting(
  variable: string,
  options: SettingOptions<z.ZodType<unknown, string>> & { readonly default?: string },
): Setting<unknown> {
  const { schema, help, secret = false } = options
  return { kind: 'setting', variable, schema, default: options.default, help, secret }
}

/**
 * Members are named in lower case: `SKYCLUST_OIDC_GOOGLE_ISSUER` gives `google`. Where one member's
 * variable is set, all those of its fields that have no default must be.
 */
export function settingFamily<F extends Readonly<Record<string, Setting<unknown>>>>(
  prefix: string,
  fields: F,
): SettingFamily<{ readonly [K in keyof F]: F[K] extends Setting<infer T> ? Exclude<T, undefined> : never }> {
  return { kind: 'family', prefix, fields }
}

export type ReadOutcome<S extends Settings> =
  | { readonly outcome: 'read'; readonly values: SettingValues<S> }
  | { readonly outcome: 'help'; readonly text: string }
  /** One line for each thing that is wrong. */
  | { readonly outcome: 'refused'; readonly lines: readonly string[] }

export interface ReadOptions {
  /** As it is called on the command line. */
  readonly program: string
  /** One sentence for `--help`. */
  readonly about: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Without the interpreter and the script. */
  readonly commandLine: readonly string[]
  readonly readFile?: (path: string) => string
}

export function readSettings<S extends Settings>(settings: S, options: ReadOptions): ReadOutcome<S> {
  const lines: string[] = []
  const flags = readFlags(options.commandLine, lines)
  if (flags.help) return { outcome: 'help', text: helpText(settings, options) }

  const fromFile = flags.config === undefined ? {} : readConfigFile(settings, flags.config, options, lines)
  const given = { ...fromFile, ...withoutEmpty(options.environment) }
  const values: Record<string, unknown> = {}
  for (const [key, declared] of Object.entries(settings)) {
    values[key] = declared.kind === 'setting' ? readOne(declared, given, lines) : readFamily(declared, given, lines)
  }
  return lines.length > 0 ? { outcome: 'refused', lines } : { outcome: 'read', values: values as SettingValues<S> }
}

/** What is in force, by key, for a person to read: secrets left out. */
export function shownSettings<S extends Settings>(settings: S, values: SettingValues<S>): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [key, declared] of Object.entries(settings)) {
    const value = values[key]
    if (declared.kind === 'setting') {
      if (!declared.secret) shown[key] = value ?? null
    } else {
      const members = Object.entries(value as Record<string, Record<string, unknown>>)
      shown[key] = Object.fromEntries(members.map(([name, member]) => [name, withoutSecrets(declared, member)]))
    }
  }
  return shown
}

function withoutSecrets(family: SettingFamily<unknown>, member: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(member).filter(([key]) => !family.fields[key]?.secret))
}

function readFlags(commandLine: readonly string[], lines: string[]): { help: boolean; config?: string } {
  try {
    const { values } = parseArgs({
      args: [...commandLine],
      options: { help: { type: 'boolean', short: 'h' }, config: { type: 'string' } },
    })
    return { help: values.help ?? false, ...(values.config === undefined ? {} : { config: values.config }) }
  } catch (error) {
    lines.push(`${firstLine(error)} (--help lists what there is)`)
    return { help: false }
  }
}

/** The file, with every key turned into the variable that it means and every value into that variable's text. */
function readConfigFile(
  settings: Settings,
  path: string,
  options: ReadOptions,
  lines: string[],
): Record<string, string> {
  const given: Record<string, string> = {}
  let content: unknown
  try {
    content = parse((options.readFile ?? ((file) => readFileSync(file, 'utf8')))(path)) ?? {}
  } catch (error) {
    lines.push(`--config ${path}: ${firstLine(error)}`)
    return given
  }
  if (typeof content !== 'object' || Array.isArray(content)) {
    lines.push(`--config ${path}: is no mapping of settings to values`)
    return given
  }
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    for (const [variable, text] of variablesOf(settings, key, value)) {
      if (text === undefined) lines.push(`--config ${path}: ${key} is no setting, or its value has the wrong shape`)
      else if (variable in given) lines.push(`--config ${path}: ${variable} is said twice`)
      else if (text !== '') given[variable] = text
    }
  }
  return given
}

function variablesOf(settings: Settings, key: string, value: unknown): [string, string | undefined][] {
  const declared = settings[key]
  if (declared?.kind === 'setting') return [[declared.variable, scalarText(value)]]
  if (declared?.kind === 'family') return familyVariables(declared, key, value)
  const known = Object.values(settings).some((one) =>
    one.kind === 'setting' ? one.variable === key : memberOf(one, key) !== undefined,
  )
  return [[key, known ? scalarText(value) : undefined]]
}

function familyVariables(family: SettingFamily<unknown>, key: string, value: unknown): [string, string | undefined][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[key, undefined]]
  return Object.entries(value as Record<string, unknown>).flatMap(([name, member]) => {
    if (typeof member !== 'object' || member === null) return [[`${key}.${name}`, undefined] as [string, undefined]]
    return Object.entries(member as Record<string, unknown>).map(([field, text]): [string, string | undefined] => {
      const suffix = family.fields[field]?.variable
      return suffix === undefined
        ? [`${key}.${name}.${field}`, undefined]
        : [`${family.prefix}${name.toUpperCase().replaceAll('-', '_')}${suffix}`, scalarText(text)]
    })
  })
}

/** YAML has numbers, booleans and lists where a variable has text. `undefined` when it is none of these. */
function scalarText(value: unknown): string | undefined {
  if (value === null) return ''
  if (Array.isArray(value)) {
    const parts = value.map(scalarText)
    return parts.includes(undefined) ? undefined : parts.join(',')
  }
  return typeof value === 'object' ? undefined : String(value)
}

type Given = Readonly<Record<string, string>>

function readOne(declared: Setting<unknown>, given: Given, lines: string[], variable = declared.variable): unknown {
  const text = given[variable] ?? declared.default
  if (text === undefined) return undefined
  const parsed = declared.schema.safeParse(text)
  if (parsed.success) return parsed.data
  const shown = declared.secret ? 'its value' : JSON.stringify(text)
  lines.push(`${variable}: ${shown} ${parsed.error.issues[0]?.message ?? 'is not valid'}`)
  return undefined
}

function readFamily(family: SettingFamily<unknown>, given: Given, lines: string[]): Record<string, unknown> {
  const names = new Set(Object.keys(given).flatMap((variable) => memberOf(family, variable) ?? []))
  const members: Record<string, unknown> = {}
  for (const name of [...names].sort()) {
    const member: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(family.fields)) {
      const variable = `${family.prefix}${name}${field.variable}`
      if (given[variable] === undefined && field.default === undefined) {
        lines.push(`${variable}: is missing; ${field.help}`)
      } else {
        member[key] = readOne(field, given, lines, variable)
      }
    }
    members[name.toLowerCase().replaceAll('_', '-')] = member
  }
  return members
}

/** The `<NAME>` of a variable that belongs to the family. */
function memberOf(family: SettingFamily<unknown>, variable: string): string | undefined {
  if (!variable.startsWith(family.prefix)) return undefined
  const suffix = Object.values(family.fields).find((field) => variable.endsWith(field.variable))?.variable
  const name = suffix === undefined ? '' : variable.slice(family.prefix.length, -suffix.length)
  return /^[A-Z0-9]+(?:_[A-Z0-9]+)*$/.test(name) ? name : undefined
}

function helpText(settings: Settings, options: ReadOptions): string {
  const rows = Object.entries(settings).flatMap(([key, declared]) =>
    declared.kind === 'setting'
      ? [row(declared.variable, key, declared)]
      : Object.entries(declared.fields).map(([field, one]) =>
          row(`${declared.prefix}<NAME>${one.variable}`, `${key}.<name>.${field}`, one),
        ),
  )
  return [
    `Usage: ${options.program} [--config file.yaml] [--help]`,
    '',
    options.about,
    '',
    'The environment wins over the file. In the file a setting is said by its variable or by its short name.',
    '',
    ...rows,
  ].join('\n')
}

function row(variable: string, key: string, declared: Setting<unknown>): string {
  const usual = declared.default === undefined || declared.default === '' ? '' : ` (default ${declared.default})`
  return `  ${variable}  [${key}]\n      ${declared.help}${usual}`
}

function withoutEmpty(environment: ReadOptions['environment']): Record<string, string> {
  const entries = Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1]))
  return Object.fromEntries(entries)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
