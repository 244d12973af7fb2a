/**
 * Makes a server listen where a setting says. Where it cannot, the error is one line that names the setting and what to do.
 */
import type { Server } from 'node:net'

export interface ListeningOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** The variable that says the port, and the one that says the host. */
  readonly variables: { readonly port: string; readonly host: string }
}

/** Resolves once it listens. */
export function listening(server: Server, options: ListeningOptions): Promise<void> {
  const { host, port } = options
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(new Error(remedy(error, options), { cause: error }))
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve()
    })
  })
}

function remedy(error: NodeJS.ErrnoException, { host, port, variables }: ListeningOptions): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `${variables.port}: port ${port} of ${host} is in use: stop what listens there, or choose another (0: any that is free)`
    case 'EACCES':
      return `${variables.port}: this process may not listen on port ${port}: choose one above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${variables.host}: ${host} is no address of this machine: 127.0.0.1 is for this machine alone, 0.0.0.0 for all`
    default:
      return `${variables.port}: port ${port} of ${host}: ${error.message}`
  }
}
