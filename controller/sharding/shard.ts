/**
 * Which shard a namespace belongs to. Everything in one namespace is one shard's, a Workspace and a User go by their name,
 * so that a Workspace and its namespace have one owner.
 *
 * The map depends on nothing but the name and the number of shards: every replica, of every version, agrees on it.
 */
import { createHash } from 'node:crypto'
import type { ObjectKey } from '../../kube/resource.ts'

/** From 0 up to, not including, `shards`. */
export function shardOf(scope: string, shards: number): number {
  if (shards === 1) return 0
  return createHash('sha256').update(scope).digest().readUInt32BE(0) % shards
}

/** The namespace of what has one, the name of what is cluster-scoped. */
export function scopeOf(key: ObjectKey): string {
  return key.namespace ?? key.name
}

/** How many shards one of `replicas` holds at most: all the others can then hold theirs. */
export function fairShare(shards: number, replicas: number): number {
  return Math.ceil(shards / Math.max(1, replicas))
}
