/**
 * Which language an answer speaks: content negotiation over `ko` and `en` (RFC 9110 §12.5.4, ranges
 * looked up as RFC 4647 §3.4 says, so that `en-GB` is content with `en`).
 *
 * A language the caller weighs with 0 is given only when nothing else is left; what names neither language
 * gets the default. Never throws: a header that makes no sense is no wish.
 */
export const locales = ['ko', 'en'] as const
export type Locale = (typeof locales)[number]

export type Negotiate = (acceptLanguage: string | null | undefined) => Locale

/** Clients send the same few headers over and over; a few are remembered. */
const REMEMBERED = 256

export function negotiation(fallback: Locale): Negotiate {
  const remembered = new Map<string, Locale>()

  return (acceptLanguage) => {
    if (!acceptLanguage) return fallback
    let locale = remembered.get(acceptLanguage)
    if (locale === undefined) {
      locale = negotiate(acceptLanguage, fallback)
      if (remembered.size >= REMEMBERED) remembered.clear()
      remembered.set(acceptLanguage, locale)
    }
    return locale
  }
}

interface Wish {
  readonly weight: number
  /** The place in the header: of two equal weights the earlier wins. */
  readonly place: number
  /** 2 for `en` itself, 1 for `en-GB`, 0 for `*`: the most specific range speaks for a language. */
  readonly specific: number
}

function negotiate(header: string, fallback: Locale): Locale {
  const wishes = new Map<Locale, Wish>()
  for (const [place, range] of header.split(',', 32).entries()) {
    const [tag = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const weight = weightOf(parameters)
    for (const locale of locales) {
      const specific = tag === locale ? 2 : tag.startsWith(`${locale}-`) ? 1 : tag === '*' ? 0 : -1
      if (specific > (wishes.get(locale)?.specific ?? -1)) wishes.set(locale, { weight, place, specific })
    }
  }

  const ordered = [fallback, ...locales.filter((locale) => locale !== fallback)]
  const acceptable = ordered.filter((locale) => (wishes.get(locale)?.weight ?? 0) > 0)
  if (acceptable.length === 0) return ordered.find((locale) => wishes.get(locale)?.weight !== 0) ?? fallback
  return acceptable.reduce((best, locale) => (preferred(wishes.get(locale), wishes.get(best)) ? locale : best))
}

function preferred(one: Wish | undefined, other: Wish | undefined): boolean {
  if (one === undefined || other === undefined) return other === undefined
  return one.weight > other.weight || (one.weight === other.weight && one.place < other.place)
}

/** RFC 9110 §12.4.2; a weight that is no number counts as none given. */
function weightOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith('q='))
  if (given === undefined) return 1
  const weight = Number(given.slice(2))
  return weight >= 0 && weight <= 1 ? weight : 1
}
