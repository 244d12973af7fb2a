/**
 * When what a listener may see has to be asked again: whenever a Workspace's people or namespace, a User's standing, or a
 * Session changed. Status writes of the controller, by far the most changes, ask nobody.
 */
import type { Session } from '../../crds/session.ts'
import type { User } from '../../crds/user.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { Change } from '../../kube/store.ts'
import type { Store } from '../store/store.ts'
import type { LiveHub, Watcher } from './hub.ts'

export function followMemberships(
  { workspaces, users, sessions }: Pick<Store, 'workspaces' | 'users' | 'sessions'>,
  hub: LiveHub,
): void {
  /** Sees workspaces in which they are not named. */
  function isWide({ user, session }: Watcher): boolean {
    return users.get({ name: user })?.spec.admin === true || session.groups.length > 0
  }

  workspaces.onChange((change) => {
    if (!concernsPeople(change)) return
    const named = new Set(change.type === 'apply' && change.previous ? peopleOf(change.previous) : [])
    for (const name of peopleOf(change.object)) named.add(name)
    hub.recheck((watcher) => named.has(watcher.user) || isWide(watcher))
  })

  users.onChange((change) => {
    if (concernsStanding(change)) hub.recheck((watcher) => watcher.user === change.object.metadata.name)
  })

  sessions.onChange((change) => {
    if (concernsLife(change)) hub.recheck((watcher) => watcher.session.name === change.object.metadata.name)
  })
}

function peopleOf({ spec }: Workspace): readonly string[] {
  return [spec.owner, ...(spec.members ?? []).map((member) => member.user)]
}

function concernsPeople(change: Change<Workspace>): boolean {
  if (change.type === 'delete' || change.previous === undefined) return true
  const { object, previous } = change
  return (
    object.metadata.generation !== previous.metadata.generation ||
    object.status?.namespace !== previous.status?.namespace ||
    isLeaving(object) !== isLeaving(previous)
  )
}

function concernsStanding(change: Change<User>): boolean {
  if (change.type === 'delete') return true
  const { object, previous } = change
  return previous !== undefined && (standing(object) !== standing(previous) || isLeaving(object))
}

function standing({ spec }: User): string {
  return `${spec.admin} ${spec.disabled}`
}

function concernsLife(change: Change<Session>): boolean {
  return change.type === 'delete' || isLeaving(change.object)
}

function isLeaving({ metadata }: { readonly metadata: { readonly deletionTimestamp?: string | undefined } }): boolean {
  return metadata.deletionTimestamp !== undefined
}
