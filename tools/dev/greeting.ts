/**
 * What `make dev` says when everything is up; its last lines are to be pasted into another terminal.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import type { Administrator } from './state.ts'

export interface GreetingOptions {
  readonly root: string
  /** Where it keeps what it keeps. */
  readonly directory: string
  /** How long the start took, in words. */
  readonly took: string
  /** Named by its path where the PATH has no kubectl. */
  readonly kubectlProgram: string
  readonly kubeconfig: string
  readonly administrator: Administrator
  readonly apiPort: number
  readonly path: string
}

export function greeting(options: GreetingOptions): string {
  const { root, directory, took, kubectlProgram, kubeconfig, administrator, apiPort, path } = options
  const { email, password } = administrator
  const kubectl = isOnPath('kubectl', path) ? 'kubectl' : shellWord(kubectlProgram)
  const url = `http://127.0.0.1:${apiPort}`
  const kept = directory.startsWith(root) ? relative(root, directory) : directory
  return `
SkyClust is up after ${took}. Ctrl-C stops it; what it keeps is in ${kept}/ (\`make dev-clean\` forgets it).

  REST        ${url}/api/v1   described at ${url}/docs
  log in as   ${email} with the password ${password}
  for scripts ${kept}/env

In another terminal:

${kubectl} --kubeconfig=${shellWord(kubeconfig)} apply -f ${shellWord(join(root, 'examples'))}
curl -sS ${url}/api/v1/auth/login -H 'content-type: application/json' -d ${shellWord(JSON.stringify({ email, password }))}`
}

function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

/** As it is where a shell takes it as one word, quoted otherwise. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
