/** What the controller can be told of OpenTofu; spread into its settings. */
import { setting } from '../../config/settings.ts'
import { bytes, duration, oneOf, port, processors, text, url, wholeNumber } from '../../config/value-schemas.ts'

export const tofuSettings = {
  tofuExecutor: setting('SKYCLUST_TOFU_EXECUTOR', {
    schema: oneOf('job', 'process'),
    default: 'job',
    help: 'Where OpenTofu runs: in a Job for each phase, or as a child process of the controller, in a sandbox where Linux gives one.',
  }),
  tofuSandbox: setting('SKYCLUST_TOFU_SANDBOX', {
    schema: oneOf('auto', 'required', 'off'),
    default: 'auto',
    help: 'With executor process: a sandbox where the machine gives one, or no start without one, or none.',
  }),
  tofuReadable: setting('SKYCLUST_TOFU_READABLE', {
    schema: text,
    default: '',
    help: 'Files and folders beside /usr that configurations may read in the sandbox, separated by colons.',
  }),
  tofuWritable: setting('SKYCLUST_TOFU_WRITABLE', {
    schema: text,
    default: '',
    help: 'Folders that configurations may read and write in the sandbox, separated by colons; /tmp is one of their own unless it is named.',
  }),
  tofuParallel: setting('SKYCLUST_TOFU_PARALLEL', {
    schema: wholeNumber({ min: 1, max: 1000 }),
    default: '4',
    help: 'How many runs may work at the same time.',
  }),
  tofuCpu: setting('SKYCLUST_TOFU_CPU', {
    schema: processors,
    default: '2',
    help: 'How many CPUs a run may use at the same time, with executor job; with process, those that nobody else wants.',
  }),
  tofuCpuTime: setting('SKYCLUST_TOFU_CPU_TIME', {
    schema: duration({ min: '10s' }),
    default: '1h',
    help: 'How much CPU time all processes of one phase of a run may use together.',
  }),
  tofuMemory: setting('SKYCLUST_TOFU_MEMORY', {
    schema: bytes({ min: '256Mi' }),
    default: '2Gi',
    help: 'How much memory all processes of a run may use together.',
  }),
  tofuDisk: setting('SKYCLUST_TOFU_DISK', {
    schema: bytes({ min: '64Mi' }),
    default: '4Gi',
    help: 'How much disk all files of a run may take together, its providers included.',
  }),
  tofuStateVersions: setting('SKYCLUST_TOFU_STATE_VERSIONS', {
    schema: wholeNumber({ min: 1, max: 100 }),
    default: '10',
    help: 'How many versions of each state are kept.',
  }),
  tofuCancelGrace: setting('SKYCLUST_TOFU_CANCEL_GRACE', {
    schema: duration({ min: '1s', max: '1h' }),
    default: '5m',
    help: 'How long tofu has after the first SIGINT of a cancel before the second.',
  }),
  tofuServerHost: setting('SKYCLUST_TOFU_SERVER_HOST', {
    schema: text,
    default: '127.0.0.1',
    help: 'Address on which runs find their state and deliver what they print; in a cluster 0.0.0.0.',
  }),
  tofuServerPort: setting('SKYCLUST_TOFU_SERVER_PORT', {
    schema: port,
    default: '0',
    help: 'Port for the same, 8083 in the chart; 0 picks one, with executor process the one of last time if it is free.',
  }),
  tofuServerUrl: setting('SKYCLUST_TOFU_SERVER_URL', {
    schema: url,
    help: 'The same as runs reach it, such as http://skyclust-tofu.skyclust-system:8083; left out, host and port.',
  }),
  tofuWorkDir: setting('SKYCLUST_TOFU_WORK_DIR', {
    schema: text,
    default: '.dev/tofu',
    help: 'Folder in which runs work, with executor process.',
  }),
  tofuProgram: setting('SKYCLUST_TOFU', {
    schema: text,
    default: 'tofu',
    help: 'The tofu program, with executor process.',
  }),
  tofuPluginDir: setting('SKYCLUST_TOFU_PLUGIN_DIR', {
    schema: text,
    help: 'Folder of providers (a filesystem mirror), from which alone they are taken then.',
  }),
  tofuPluginCache: setting('SKYCLUST_TOFU_PLUGIN_CACHE', {
    schema: text,
    help: 'Folder in which downloaded providers are kept between runs, with executor process.',
  }),
  tofuCliConfig: setting('SKYCLUST_TOFU_CLI_CONFIG', {
    schema: text,
    help: "OpenTofu's own CLI configuration file, where the folder of providers does not suffice.",
  }),
  tofuImage: setting('SKYCLUST_TOFU_IMAGE', {
    schema: text,
    default: 'ghcr.io/skyclust/tofu-runner:1.0.0',
    help: 'Image of the runner, with executor job; named by digest in production.',
  }),
}
