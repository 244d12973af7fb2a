import { tofuRunKind } from '../../crds/tofu-run.ts'
import { describeRules } from './describe-rules.ts'

const git = (more: object) => ({ source: { git: { url: 'https://example.com/stack.git', ...more } } })
const inline = (path: string) => ({ source: { inline: { [path]: 'output "a" { value = 1 }' } } })

/** What answers to a run that is under way, all at once. */
const answers = { approvedPlan: `sha256:${'0'.repeat(64)}`, cancel: true, ttlSecondsAfterFinished: 60 }

/** What may not be changed: two values, and whether a run may also be made without. */
const fixed = [
  { field: 'command', one: 'plan', other: 'apply', optional: false },
  { field: 'stack', one: 'network', other: 'default', optional: false },
  { field: 'source', one: inline('main.tf').source, other: { inline: { 'main.tf': 'other' } }, optional: false },
  { field: 'approval', one: { mode: 'Manual' }, other: { mode: 'Auto' }, optional: false },
  { field: 'timeout', one: '1h', other: '2h', optional: false },
  { field: 'credentialRefs', one: [{ name: 'one' }], other: [{ name: 'other' }], optional: true },
  { field: 'variables', one: { a: '1' }, other: { a: '2' }, optional: true },
  {
    field: 'variablesFrom',
    one: [{ secretRef: { name: 'one' } }],
    other: [{ secretRef: { name: 'other' } }],
    optional: true,
  },
]

describeRules({
  kind: tofuRunKind,
  valid: { command: 'apply', ...inline('main.tf') },
  fields: [
    {
      field: 'a stack',
      admits: { stack: 'network-2' },
      refuses: { stack: 'Network' },
      says: "spec.stack has lower-case letters, digits and '-', and begins and ends with a letter or digit",
    },
    {
      field: 'one source',
      admits: { source: { configMapRef: { name: 'stack' } } },
      refuses: { source: { configMapRef: { name: 'stack' }, ...git({}).source } },
      says: 'spec.source needs exactly one of inline, configMapRef and git',
    },
    {
      field: 'files',
      admits: inline('modules/network/main.tf'),
      refuses: { source: { inline: {} } },
      says: 'spec.source.inline needs at least one file, such as main.tf',
    },
    {
      field: 'the path of a file',
      admits: inline('x'.repeat(250)),
      refuses: inline('x'.repeat(251)),
      says: 'spec.source.inline: the path of a file has 1 to 250 characters',
    },
    ...['/etc/passwd', '../main.tf', 'a/../../b', './main.tf', '.'].map((path) => ({
      field: 'a path within the configuration',
      admits: inline('a..b/.terraform.lock.hcl'),
      refuses: inline(path),
      says: "spec.source.inline: the path of a file is relative and has no part that is '.' or '..'",
    })),
    {
      field: 'a ConfigMap',
      admits: { source: { configMapRef: { name: 'stack.v2' } } },
      refuses: { source: { configMapRef: { name: 'Stack' } } },
      says: 'spec.source.configMapRef.name must be the name of a ConfigMap in the same namespace',
    },
    ...[
      { admits: 'git@example.com:team/stack.git', refuses: 'file:///etc' },
      { admits: 'ssh://git@example.com:2222/stack', refuses: '--upload-pack=sh' },
      { admits: 'http://10.0.0.1/stack', refuses: '-o@example.com:stack' },
    ].map(({ admits, refuses }) => ({
      field: 'a repository',
      admits: git({ url: admits }),
      refuses: git({ url: refuses }),
      says: 'spec.source.git.url begins with https://, http:// or ssh://, or is user@host:path',
    })),
    {
      field: 'a ref',
      admits: git({ ref: 'release/v1.2.0' }),
      refuses: git({ ref: '--upload-pack=sh' }),
      says: 'spec.source.git.ref is a branch, a tag or a commit, such as main or v1.2.0',
    },
    {
      field: 'a folder of the repository',
      admits: git({ path: 'stacks/network' }),
      refuses: git({ path: 'stacks/../..' }),
      says: "spec.source.git.path is a folder within the repository, without '..'",
    },
    {
      field: 'a login for the repository',
      admits: git({ secretRef: { name: 'git' } }),
      refuses: git({ secretRef: { name: 'Git' } }),
      says: 'spec.source.git.secretRef.name must be the name of a Secret in the same namespace',
    },
    {
      field: 'Credentials',
      admits: { credentialRefs: [{ name: 'aws-main' }, { name: 'gcp-main' }] },
      refuses: { credentialRefs: [{ name: 'aws/main' }] },
      says: 'spec.credentialRefs[].name must be the name of a Credential in the same namespace',
    },
    {
      field: 'variables',
      admits: { variables: { instance_count: '3', 'with-dash': '' } },
      refuses: { variables: { '3rd': '' } },
      says: "spec.variables: a name has at most 128 letters, digits, '_' and '-', and begins with a letter or '_'",
    },
    {
      field: 'variables from Secrets',
      admits: { variablesFrom: [{ secretRef: { name: 'passwords' } }] },
      refuses: { variablesFrom: [{ secretRef: { name: 'Passwords' } }] },
      says: 'spec.variablesFrom[].secretRef.name must be the name of a Secret in the same namespace',
    },
    ...['', '1 hour', '-1h', '1d', '99999999999999h'].map((maxAge) => ({
      field: 'an age of its plan',
      admits: { approval: { maxAge: '1h30m' } },
      refuses: { approval: { maxAge } },
      says: 'spec.approval.maxAge is a duration such as 90s, 30m or 1h30m',
    })),
    ...['0s', '168h1s', '9999h'].map((maxAge) => ({
      field: 'an age of its plan within bounds',
      admits: { approval: { maxAge: '168h' } },
      refuses: { approval: { maxAge } },
      says: 'spec.approval.maxAge is at least 1s and at most 168h',
    })),
    {
      field: 'an approved plan',
      admits: { approvedPlan: `sha256:${'a'.repeat(64)}` },
      refuses: { approvedPlan: 'sha256:abc' },
      says: 'spec.approvedPlan is the digest in status.plan.digest, such as sha256:…; empty approves nothing',
    },
    {
      field: 'a timeout',
      admits: { timeout: '90s' },
      refuses: { timeout: '90' },
      says: 'spec.timeout is a duration such as 90s, 30m or 1h30m',
    },
    {
      field: 'a timeout within bounds',
      admits: { timeout: '24h' },
      refuses: { timeout: '25h' },
      says: 'spec.timeout is at least 1s and at most 24h',
    },
  ],
  names: [{ admits: 'apply-1', refuses: 'apply.1', says: 'metadata.name of a TofuRun has no dots' }],
  changes: [
    ...fixed.flatMap(({ field, one, other, optional }) => {
      const says = `spec.${field} cannot be changed: create a new run`
      const toAnother = { from: { [field]: one }, admits: answers, refuses: { [field]: other }, says }
      const taken = { from: { [field]: one }, admits: answers, refuses: { [field]: null }, says }
      const added = { from: {}, admits: answers, refuses: { [field]: one }, says }
      return optional ? [toAnother, taken, added] : [toAnother]
    }),
    {
      from: { cancel: true },
      admits: { approvedPlan: '' },
      refuses: { cancel: false },
      says: 'spec.cancel cannot be taken back: create a new run',
    },
  ],
})
