/**
 * States that cannot be lost, overwritten or locked for ever.
 *
 * Guarantees: a write is there whole or not at all, whatever dies and whenever: chunks first, all acknowledged, then
 * the head is moved by compare-and-swap, and until that instant the old state is the state. Only who holds the
 * stack can write. The last `keepVersions` are kept; what older ones or dead writers left is collected.
 *
 * Assumes: the clock is roughly that of the apiserver (minutes do not matter).
 */
import { createHash } from 'node:crypto'
import { isAlreadyExists, isConflict, isNotFound } from '../../../kube/kube-error.ts'
import { type BlobStore, digestOf } from './blob-store.ts'
import type { SecretObjects, StoredSecret } from './secret-objects.ts'
import {
  acquired,
  begun,
  type Claim,
  emptyHead,
  fenced,
  type Holder,
  isRefused,
  type LockInfo,
  locked,
  type Next,
  newest,
  parseHead,
  type Refused,
  released,
  type StackHead,
  type StateVersion,
  unlocked,
  written,
} from './stack-head.ts'
import { stateMeta } from './state-meta.ts'

/** A stack belongs to a namespace, by uid: a namespace made anew under the same name does not inherit states. */
export interface Stack {
  readonly namespace: string
  readonly namespaceUid: string
  readonly name: string
}

export interface StateStore {
  head(stack: Stack, signal?: AbortSignal): Promise<StackHead>
  acquire(stack: Stack, holder: Omit<Holder, 'runner'>, signal?: AbortSignal): Promise<StackHead | Refused>
  begin(stack: Stack, claim: Claim, runner: string, signal?: AbortSignal): Promise<StackHead | Refused>
  release(stack: Stack, run: string, signal?: AbortSignal): Promise<void>
  lock(stack: Stack, claim: Claim, info: LockInfo, signal?: AbortSignal): Promise<StackHead | Refused>
  unlock(stack: Stack, claim: Claim, id: string, signal?: AbortSignal): Promise<StackHead | Refused>
  /** The newest state, or the version asked for. */
  read(stack: Stack, version?: number, signal?: AbortSignal): Promise<Buffer | undefined>
  /** Bytes equal to the newest version are not stored again: tofu repeats a request whose answer was lost. */
  write(stack: Stack, state: StateWrite, signal?: AbortSignal): Promise<StateVersion | Refused>
}

export interface StateWrite {
  readonly claim: Claim
  /** The id of tofu's lock, as the request names it. */
  readonly lockId?: string
  readonly bytes: Uint8Array
  readonly writtenBy: string
  readonly replaceLineage?: boolean
}

export const stackLabel = 'skyclust.io/tofu-stack'

/** A name for Secrets and labels: stacks may be called what they like. */
export function stackKey(stack: Stack): string {
  return createHash('sha256').update(`${stack.namespaceUid}/${stack.name}`).digest('hex').slice(0, 24)
}

export function headName(stack: Stack): string {
  return `tofu-state-${stackKey(stack)}`
}

/** What a state is sealed for. */
export function stateSeal(stack: Stack): string {
  return `state/${stackKey(stack)}`
}

export function stateStore(options: {
  readonly secrets: SecretObjects
  readonly blobs: BlobStore
  readonly now: () => number
  readonly keepVersions: number
}): StateStore {
  const { secrets, blobs, now, keepVersions } = options

  async function find(stack: Stack, signal?: AbortSignal): Promise<{ head: StackHead; secret?: StoredSecret }> {
    const secret = await secrets.get(headName(stack), signal)
    if (secret === undefined) return { head: emptyHead }
    if (secret.data.head === undefined) throw new Error(`Secret ${secret.name} has no field head`)
    return { head: parseHead(secret.data.head), secret }
  }

  async function save(stack: Stack, next: StackHead, secret: StoredSecret | undefined, signal?: AbortSignal) {
    const draft = {
      name: headName(stack),
      labels: { [stackLabel]: stackKey(stack) },
      annotations: { 'skyclust.io/tofu-stack-of': `${stack.namespace}/${stack.name}` },
      data: { head: Buffer.from(JSON.stringify(next)) },
    }
    if (secret === undefined) await secrets.create(draft, signal)
    else await secrets.replace({ ...draft, resourceVersion: secret.resourceVersion }, signal)
  }

  /** Reads, decides, swaps; begins again when somebody else was faster, until the decision is carried out or is a refusal. */
  async function move(
    stack: Stack,
    decide: (head: StackHead) => Next,
    signal?: AbortSignal,
  ): Promise<{ before: StackHead; after: StackHead } | Refused> {
    for (;;) {
      signal?.throwIfAborted()
      const { head, secret } = await find(stack, signal)
      const next = decide(head)
      if (isRefused(next)) return next
      if (next === head) return { before: head, after: head }
      try {
        await save(stack, next, secret, signal)
        return { before: head, after: next }
      } catch (error) {
        if (!isConflict(error) && !isAlreadyExists(error) && !isNotFound(error)) throw error
      }
    }
  }

  async function moved(stack: Stack, decide: (head: StackHead) => Next, signal?: AbortSignal) {
    const result = await move(stack, decide, signal)
    return 'refused' in result ? result : result.after
  }

  async function moveTo(stack: Stack, write: StateWrite, state: Omit<StateVersion, 'version'>, signal?: AbortSignal) {
    const decide = (head: StackHead): Next =>
      written({
        head,
        claim: write.claim,
        lockId: write.lockId,
        state,
        keep: keepVersions,
        replaceLineage: write.replaceLineage ?? false,
      })
    try {
      return await move(stack, decide, signal)
    } catch (error) {
      // The answer may have been lost after the swap took effect: the head itself knows.
      const { head } = await find(stack, signal)
      if (newest(head)?.blob.id !== state.blob.id) throw error
      return { before: head, after: head }
    }
  }

  return {
    async head(stack, signal) {
      return (await find(stack, signal)).head
    },

    async acquire(stack, holder, signal) {
      const result = await move(stack, (head) => acquired(head, holder), signal)
      if ('refused' in result) return result
      if (result.before !== result.after) {
        await blobs.sweep(
          stackKey(stack),
          result.after.versions.map(({ blob }) => blob),
          signal,
        )
      }
      return result.after
    },

    begin: (stack, claim, runner, signal) => moved(stack, (head) => begun(head, claim, runner), signal),

    async release(stack, run, signal) {
      const { head } = await find(stack, signal)
      if (head.holder?.run === run) await move(stack, (current) => released(current, run), signal)
    },

    lock: (stack, claim, info, signal) => moved(stack, (head) => locked(head, claim, info), signal),
    unlock: (stack, claim, id, signal) => moved(stack, (head) => unlocked(head, claim, id), signal),

    async read(stack, version, signal) {
      const { head } = await find(stack, signal)
      const wanted = version === undefined ? newest(head) : head.versions.find((one) => one.version === version)
      return wanted === undefined ? undefined : blobs.get(wanted.blob, stateSeal(stack), signal)
    },

    async write(stack, write, signal) {
      const { head } = await find(stack, signal)
      const refused = fenced(head, write.claim)
      if (refused !== undefined) return refused
      const last = newest(head)
      if (last?.blob.digest === digestOf(write.bytes)) return last

      const { serial, lineage } = stateMeta(write.bytes)
      const stored = { plain: write.bytes, boundTo: stateSeal(stack), owner: stackKey(stack) }
      const blob = await blobs.put(stored, signal)
      const at = new Date(now()).toISOString()
      const result = await moveTo(stack, write, { serial, lineage, blob, at, writtenBy: write.writtenBy }, signal)
      if ('refused' in result) {
        await blobs.remove(blob, signal)
        return result
      }
      const kept = new Set(result.after.versions.map((version) => version.blob.id))
      for (const dropped of result.before.versions) {
        // Whoever dies here leaves chunks that nobody refers to; the next acquire sweeps them.
        if (!kept.has(dropped.blob.id)) await blobs.remove(dropped.blob, signal).catch(() => undefined)
      }
      const top = newest(result.after)
      if (top === undefined) throw new Error('a write left no version behind')
      return top
    },
  }
}
