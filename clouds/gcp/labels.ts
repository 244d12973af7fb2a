/**
 * Tags as Compute Engine's labels, which hold less: keys and values of at most 63 lower-case letters, digits, `-` and
 * `_`, a key beginning with a letter.
 *
 * Guarantees: the mapping is injective, so that two tags never become one label and every label of ours is read back as
 * the tag that it was; what is a label already stays as it is. A tag for which there is no room is refused, by name.
 *
 * | tag                            | label                                                        |
 * |--------------------------------|--------------------------------------------------------------|
 * | `skyclust.io/<word>`           | `skyclust-<word>`                                            |
 * | `Name`                         | `skyclust-name`                                              |
 * | `namespace/name` as a value    | `namespace_name`: no name in Kubernetes has an underscore    |
 * | a value of more than 63        | its next 63 characters in `skyclust-<word>-2`, then `-3`     |
 * | anything else that is no label | `x-_` and it, each other byte as `_` and two hexadecimal digits |
 *
 * @see https://cloud.google.com/compute/docs/labeling-resources#requirements
 */
import { CloudError } from '../cloud-error.ts'

const MAX_LENGTH = 63
const ESCAPED = 'x-_'
const OWN_TAG = 'skyclust.io/'
const OWN_LABEL = 'skyclust-'
const NAME_LABEL = `${OWN_LABEL}name`
/** Labels that a value of more than 63 characters goes on in. */
const CONTINUATIONS = [2, 3] as const

const plainKey = /^[a-z][a-z0-9_-]{0,62}$/
const plainValue = /^[a-z0-9_-]{0,63}$/
const ownWord = /^[a-z]+(-[a-z]+)*$/
const path = /^[a-z0-9.-]+\/[a-z0-9.-]+$/
/** A path whose dots had to be escaped is not readable anyway; names of Namespaces and VMs have none. */
const underscored = /^([a-z0-9-]+)_([a-z0-9-]+)$/

export type Labels = Readonly<Record<string, string>>

export function labelsFrom(tags: Readonly<Record<string, string>>): Labels {
  return Object.fromEntries(Object.entries(tags).flatMap(([key, value]) => labelsOf(key, value)))
}

export function tagsFrom(labels: Labels): Record<string, string> {
  const tags: [string, string][] = []
  for (const [label, first] of Object.entries(labels)) {
    if (isContinuation(label, labels)) continue
    const rest = label.startsWith(OWN_LABEL) ? CONTINUATIONS.map((n) => labels[`${label}-${n}`] ?? '') : []
    const key = keyFrom(label)
    tags.push([key, valueFrom(key, [first, ...rest].join(''))])
  }
  return Object.fromEntries(tags) // also of a tag that is called `__proto__`
}

/** The labels that a tag of this key may be in. */
export function labelKeysOf(key: string): readonly string[] {
  const label = labelKey(key)
  return label.startsWith(OWN_LABEL) ? [label, ...CONTINUATIONS.map((n) => `${label}-${n}`)] : [label]
}

/** The label by which a tag with this value is searched; what it finds has to be compared by its tags all the same. */
export function searchLabel(key: string, value: string): readonly [string, string] {
  const [[label, text] = ['', '']] = labelsOf(key, value)
  return [label, text]
}

function labelsOf(key: string, value: string): [string, string][] {
  const label = labelKey(key)
  const text = labelValue(key, value)
  if (text.length <= MAX_LENGTH) return [[label, text]]
  const parts = text.match(/.{1,63}/g) ?? []
  if (!label.startsWith(OWN_LABEL) || parts.length > CONTINUATIONS.length + 1) throw tooLong(key, 'value', text)
  return parts.map((part, index) => [index === 0 ? label : `${label}-${index + 1}`, part])
}

function labelKey(key: string): string {
  if (key === 'Name') return NAME_LABEL
  const word = key.startsWith(OWN_TAG) ? key.slice(OWN_TAG.length) : undefined
  if (word !== undefined && ownWord.test(word) && word !== 'name') return `${OWN_LABEL}${word}`
  if (plainKey.test(key) && !key.startsWith(OWN_LABEL) && !key.startsWith(ESCAPED)) return key
  const label = escaped(key)
  if (label.length > MAX_LENGTH) throw tooLong(key, 'key', label)
  return label
}

function keyFrom(label: string): string {
  if (label === NAME_LABEL) return 'Name'
  if (label.startsWith(OWN_LABEL)) return `${OWN_TAG}${label.slice(OWN_LABEL.length)}`
  return label.startsWith(ESCAPED) ? unescaped(label) : label
}

function labelValue(key: string, value: string): string {
  if (isPathTag(key)) {
    const text = path.test(value) ? value.replace('/', '_') : ''
    return underscored.test(text) ? text : escaped(value)
  }
  return plainValue.test(value) && !value.startsWith(ESCAPED) ? value : escaped(value)
}

function valueFrom(key: string, text: string): string {
  if (text.startsWith(ESCAPED)) return unescaped(text)
  return isPathTag(key) ? text.replace(underscored, '$1/$2') : text
}

/** The one of our tags whose value is `namespace/name`. */
function isPathTag(key: string): boolean {
  return key === `${OWN_TAG}vm`
}

function isContinuation(label: string, labels: Labels): boolean {
  const first = /^(skyclust-.+)-[23]$/.exec(label)?.[1]
  return first !== undefined && first in labels
}

function escaped(text: string): string {
  const bytes = [...Buffer.from(text)]
  return ESCAPED + bytes.map((byte) => escapedByte(byte, String.fromCharCode(byte))).join('')
}

function escapedByte(byte: number, char: string): string {
  return /[a-z0-9-]/.test(char) ? char : `_${byte.toString(16).padStart(2, '0')}`
}

function unescaped(text: string): string {
  const percent = text.slice(ESCAPED.length).replace(/_([0-9a-f]{2})/g, '%$1')
  try {
    return decodeURIComponent(percent)
  } catch {
    return text // a label of somebody else's
  }
}

function tooLong(key: string, what: string, text: string): CloudError {
  return new CloudError(
    `The ${what} of tag "${key}" is ${text.length} characters long as a label of Google Cloud, which holds ${MAX_LENGTH}.`,
    { class: 'invalid', code: 'LabelTooLong', action: 'labels' },
  )
}
