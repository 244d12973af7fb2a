/** Names for Kubernetes objects, made from what people call things. */
import { randomInt } from 'node:crypto'

/** Without vowels and what looks alike, as Kubernetes' own generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

export function randomSuffix(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')
}

/** Kubernetes keeps names like this for itself, and admission refuses them: a title that begins so is put behind the fallback. */
const reserved = /^kube(-|$)/

/** A DNS label that begins with what is left of `title` in ASCII, or with `fallback`, and ends in a random suffix. */
export function generatedName(title: string, fallback: string): string {
  const readable = title
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '')
  const stem = reserved.test(readable) ? `${fallback}-${readable}` : /^[a-z]/.test(readable) ? readable : fallback
  return `${stem}-${randomSuffix(6)}`
}
