/** A workspace with an owner and a Credential for the simulated cloud, as most rows need one. */

import type { Answer, Person } from '../rest.ts'
import type { Subject } from '../subject.ts'

export interface Team {
  readonly owner: Person
  /** Its id. */
  readonly workspace: string
  /** Of its Credential. */
  readonly credential: string
  /** Asks for a VM and does not wait for the cloud. */
  makeVm(more?: object, headers?: Readonly<Record<string, string>>): Promise<Answer>
}

export const simKeys = { access_key: 'a-key', secret_key: 'a-very-secret-key', region: 'sim-1' }

/** Throws when anything of it was refused. */
export async function made(asked: Promise<Answer>): Promise<string> {
  const answer = await asked
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`)
  return answer.body.data.id
}

export async function makeWorkspace(owner: Person, name = 'team'): Promise<string> {
  return made(owner.post('/api/v1/workspaces', { body: { name } }))
}

export async function makeTeam(installation: Subject, name = 'Kim'): Promise<Team> {
  const owner = await installation.newcomer(name)
  const workspace = await makeWorkspace(owner, `${name}’s team`)
  const credential = await made(
    owner.post('/api/v1/credentials', { body: { workspace_id: workspace, provider: 'sim', credentials: simKeys } }),
  )
  return {
    owner,
    workspace,
    credential,
    makeVm: (more = {}, headers = { prefer: 'respond-async' }) =>
      owner.post('/api/v1/vms', { body: { ...vmBody(workspace), ...more }, headers }),
  }
}

let vms = 0

/** Of a VM with a name of its own. */
export function vmBody(workspace: string) {
  vms += 1
  return {
    workspace_id: workspace,
    name: `vm-${vms}`,
    provider: 'sim',
    instance_type: 'small',
    region: 'sim-1',
    image_id: 'ubuntu',
  }
}
