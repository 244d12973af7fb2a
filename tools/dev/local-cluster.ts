/**
 * The control plane of `make dev`, with SkyClust installed in it and an account for each of its processes.
 */
import { join } from 'node:path'
import { startControlPlane } from '../control-plane.ts'
import { install, type ProcessAccount } from '../installation.ts'
import { writeKubeconfig } from '../kubeconfig.ts'
import { kubectlFor } from '../kubectl.ts'
import type { Service } from '../service.ts'
import type { Workshop } from '../workshop.ts'
import { requireNewEnough } from './new-enough.ts'
import { grantAccess, type ProcessAccessOptions } from './process-access.ts'
import { type DevState, freshLog } from './state.ts'

export interface LocalClusterOptions {
  readonly root: string
  readonly state: DevState
  readonly namespace: string
  readonly obtain: Workshop['obtain']
  readonly signal: AbortSignal
  /** Told of each server as it has started. */
  readonly up: (service: Service) => Promise<void>
}

export interface LocalCluster {
  /** The administrator's. */
  readonly kubeconfig: string
  readonly kubectlProgram: string
  readonly kubeconfigs: Readonly<Record<ProcessAccount, string>>
  readonly access: ProcessAccessOptions
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { root, state, namespace, obtain, signal, up } = options
  const programs = {
    etcd: await obtain('etcd'),
    apiserver: await obtain('kube-apiserver'),
    controllerManager: await obtain('kube-controller-manager'),
  }
  await requireNewEnough(programs.apiserver)
  const kubectlProgram = await obtain('kubectl')
  for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager']) await freshLog(state.logDirectory, name)

  const controlPlane = await startControlPlane({
    ...programs,
    directory: join(state.directory, 'control-plane'),
    logDirectory: state.logDirectory,
    fsync: true,
    port: await state.port('kube-apiserver'),
    signal,
  })
  await up(controlPlane.etcd)
  await up(controlPlane.apiserver)
  if (controlPlane.controllerManager !== undefined) await up(controlPlane.controllerManager)

  const kubeconfig = join(state.directory, 'kubeconfig')
  await writeKubeconfig(kubeconfig, {
    server: controlPlane.server,
    certificateAuthority: controlPlane.authority.certificate,
    user: controlPlane.administrator,
  })
  const kubectl = kubectlFor(kubectlProgram, kubeconfig)
  signal.throwIfAborted()
  await install({ kubectl, root, namespace })
  const access = { controlPlane, kubectl, namespace, directory: join(state.directory, 'access') }
  return { kubeconfig, kubectlProgram, kubeconfigs: await grantAccess(access), access }
}
