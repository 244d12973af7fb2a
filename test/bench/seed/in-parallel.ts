/** Requests on their way at a time: more do not make a two-core apiserver faster. */
const AT_A_TIME = 32

/** `task` for each index below `count`. */
export async function inParallel(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await task(index)
  }
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count) }, worker))
}
