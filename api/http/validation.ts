/**
 * From what a zod schema found wrong to `details.fields`: for every path what is wrong and what would be right, in
 * both languages. A value is never repeated: it may be a secret in the wrong field.
 *
 * A schema's own `.refine` says its sentence as `params: { say: <Message> }`, see {@link check}.
 */
import type { z } from 'zod'
import { type Message, refused } from '../language/messages.ts'
import { ApiError } from './api-error.ts'

/** As many as a person mends in one go. */
const MAX_FIELDS = 32

/** For `.refine(predicate, check(message))`. */
export function check(say: Message): { params: { say: Message } } {
  return { params: { say } }
}

/**
 * @param input What was validated: zod does not say whether a field is missing or of the wrong type.
 * @param whole How the input as a whole is called: `body`, `query`.
 * @param at Where in the body the input stands, if it is a part of it.
 */
export function validationError(
  error: z.core.$ZodError,
  input: unknown,
  whole: string,
  at: readonly string[] = [],
): ApiError {
  const fields: Record<string, Message> = {}
  for (const issue of error.issues) {
    for (const [path, said] of problems(issue, input, whole)) {
      const name = path.length === 0 ? whole : [...at, ...path].map(String).join('.')
      if (Object.keys(fields).length < MAX_FIELDS) fields[shorten(name)] ??= said
    }
  }
  return new ApiError('VALIDATION_ERROR', refused.validation, { fields })
}

type Issue = z.core.$ZodIssue
type Problem = readonly [path: readonly PropertyKey[], said: Message]

function problems(issue: Issue, input: unknown, whole: string): Problem[] {
  if (issue.code !== 'unrecognized_keys') return [[issue.path, sentence(issue, input, whole)]]
  const said = { ko: '알 수 없는 필드입니다. 제거하십시오.', en: 'is not a known field: remove it' }
  return issue.keys.map((key): Problem => [[...issue.path, key], said])
}

const repeated = { ko: '여러 번 지정되었습니다. 한 번만 지정하십시오.', en: 'is given more than once: give it once' }

function sentence(issue: Issue, input: unknown, whole: string): Message {
  switch (issue.code) {
    case 'invalid_type':
      if (whole === 'query' && Array.isArray(valueAt(input, issue.path))) return repeated
      return wrongType([issue.expected], valueAt(input, issue.path))
    case 'too_small':
      return tooSmall(issue)
    case 'too_big':
      return tooBig(issue)
    case 'invalid_value':
      return oneOf(issue.values.map(String))
    case 'invalid_format':
      return wrongFormat(issue)
    case 'custom': {
      const say = (issue.params as { say?: Message } | undefined)?.say
      return say ?? refused.validation
    }
    case 'invalid_union':
      return noneFits(issue, valueAt(input, issue.path))
    case 'invalid_key':
      return issue.issues[0] ? sentence(issue.issues[0], input, whole) : refused.validation
    default:
      return { ko: '올바르지 않은 값입니다.', en: 'has a value that is not valid here' }
  }
}

/** Of a union it is said which kinds of value would do, or which values of the field that tells them apart. */
function noneFits(issue: z.core.$ZodIssueInvalidUnion, input: unknown): Message {
  const { options } = issue as { options?: readonly unknown[] }
  if (options !== undefined) return oneOf(options.map(String))
  const kinds = issue.errors.flatMap(([first]) => (first?.code === 'invalid_type' ? [first.expected] : []))
  return kinds.length > 0 ? wrongType(kinds, input) : refused.validation
}

const typeNames: Readonly<Record<string, Message>> = {
  string: { ko: '문자열', en: 'text' },
  number: { ko: '숫자', en: 'a number' },
  int: { ko: '정수', en: 'a whole number' },
  boolean: { ko: 'true 또는 false', en: 'true or false' },
  object: { ko: 'JSON 객체', en: 'a JSON object' },
  record: { ko: 'JSON 객체', en: 'a JSON object' },
  array: { ko: '배열', en: 'a list' },
}

/** @param expected any one of these types would do */
function wrongType(expected: readonly string[], input: unknown): Message {
  const names = expected.map((type) => typeNames[type] ?? { ko: type, en: type })
  const wanted = { ko: names.map(({ ko }) => ko).join(' 또는 '), en: names.map(({ en }) => en).join(' or ') }
  return input === undefined
    ? { ko: `필수 항목입니다. ${wanted.ko}이어야 합니다.`, en: `is missing: give ${wanted.en}` }
    : { ko: `${wanted.ko}이어야 합니다.`, en: `must be ${wanted.en}` }
}

function tooSmall(issue: z.core.$ZodIssueTooSmall): Message {
  const { minimum } = issue
  if (issue.origin === 'string') {
    return minimum === 1
      ? { ko: '비어 있을 수 없습니다.', en: 'must not be empty' }
      : { ko: `${minimum}자 이상이어야 합니다.`, en: `must have at least ${minimum} characters` }
  }
  return issue.origin === 'array'
    ? { ko: `${minimum}개 이상이어야 합니다.`, en: `must have at least ${minimum} entries` }
    : { ko: `${minimum} 이상이어야 합니다.`, en: `must be at least ${minimum}` }
}

function tooBig(issue: z.core.$ZodIssueTooBig): Message {
  const { maximum } = issue
  if (issue.origin === 'string') {
    return { ko: `${maximum}자 이하여야 합니다.`, en: `must have at most ${maximum} characters` }
  }
  return issue.origin === 'array'
    ? { ko: `${maximum}개 이하여야 합니다.`, en: `must have at most ${maximum} entries` }
    : { ko: `${maximum} 이하여야 합니다.`, en: `must be at most ${maximum}` }
}

function oneOf(values: readonly string[]): Message {
  const listed = values.join(', ')
  return { ko: `다음 중 하나여야 합니다: ${listed}.`, en: `must be one of ${listed}` }
}

function wrongFormat({ format, pattern }: { readonly format: string; readonly pattern?: string | undefined }): Message {
  switch (format) {
    case 'email':
      return { ko: '이메일 주소여야 합니다(예: name@example.com).', en: 'must be an e-mail address: name@example.com' }
    case 'uuid':
    case 'guid':
      return { ko: 'UUID여야 합니다.', en: 'must be a UUID' }
    case 'datetime':
      return {
        ko: 'UTC 시각이어야 합니다(예: 2024-01-01T00:00:00Z).',
        en: 'must be a time in UTC: 2024-01-01T00:00:00Z',
      }
    default:
      return {
        ko: `형식이 올바르지 않습니다. 다음과 일치해야 합니다: ${pattern}`,
        en: `has the wrong form: must match ${pattern}`,
      }
  }
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined,
    input,
  )
}

/** A path is partly the caller's own text. */
function shorten(name: string): string {
  return name.length > 128 ? `${name.slice(0, 127)}…` : name
}
