import type { InstanceFilter, InstancePage } from './cloud.ts'

/** Every page, one call each, asked for as the reader comes to it. */
export async function* pages(
  listPage: (filter: InstanceFilter, cursor?: string, signal?: AbortSignal) => Promise<InstancePage>,
  filter: InstanceFilter,
  signal?: AbortSignal,
): AsyncGenerator<InstancePage['instances']> {
  let cursor: string | undefined
  do {
    const page = await listPage(filter, cursor, signal)
    yield page.instances
    cursor = page.next
  } while (cursor !== undefined)
}
