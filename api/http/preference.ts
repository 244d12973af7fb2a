/**
 * `Prefer: wait=N` and `Prefer: respond-async`: how long an answer may wait for the cloud. What cannot be understood is no
 * preference, as RFC 7240 §2 asks.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7240
 */
const DEFAULT_WAIT_MS = 5_000
const LONGEST_WAIT_MS = 60_000

/** Milliseconds to wait; 0 for not at all. */
export function waitPreference(prefer: string | undefined): number {
  let waitMs = DEFAULT_WAIT_MS
  for (const preference of prefer?.split(',') ?? []) {
    const [name = '', value = ''] = (preference.split(';')[0] ?? '').split('=').map((part) => part.trim().toLowerCase())
    if (name === 'respond-async') return 0
    const seconds = value.replaceAll('"', '')
    if (name === 'wait' && /^\d{1,9}$/.test(seconds)) waitMs = Math.min(LONGEST_WAIT_MS, Number(seconds) * 1000)
  }
  return waitMs
}
