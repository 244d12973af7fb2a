/**
 * The user of a run in a Job: one of its own, as far as a thousand go. Linux counts processes by user on a whole node, so that a limit on those of one run
 * needs a user that no other pod has; and what escapes from a container is then nobody else's equal.
 *
 * The image of the runner has them all in /etc/passwd, without which ssh does not work.
 */
const first = 66_000
const count = 1_000

export function userOf(run: { readonly metadata: { readonly uid: string } }): number {
  return first + (Number.parseInt(run.metadata.uid.slice(0, 8), 16) % count)
}

export function isUserOfRun(user: number | undefined): boolean {
  return user !== undefined && user >= first && user < first + count
}
