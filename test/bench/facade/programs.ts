/** What a program of ours uses of the machine, as it says itself at `/metrics`. */
export interface Usage {
  readonly residentMiB: number
  readonly cpuSeconds: number
}

export async function usageOf(metricsUrl: string): Promise<Usage> {
  const text = await (await fetch(`${metricsUrl}/metrics`)).text()
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN)
  return { residentMiB: read('process_resident_memory_bytes') / 2 ** 20, cpuSeconds: read('process_cpu_seconds_total') }
}
