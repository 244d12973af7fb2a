/**
 * TofuRun: one plan, apply or destroy of an OpenTofu configuration.
 *
 * `spec` is immutable but for what answers to a run that is under way: the approval of its plan, the cancel, and how long it is kept.
 */
import { z } from 'zod'
import {
  ageColumn,
  conditions,
  immutable,
  nameIsLabel,
  objectName,
  observedGeneration,
  reasonColumn,
  rules,
  time,
} from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'
import { category } from './names.ts'

export const tofuCommands = ['plan', 'apply', 'destroy'] as const
export type TofuCommand = (typeof tofuCommands)[number]

export const tofuRunPhases = [
  'Pending',
  'Planning',
  'AwaitingApproval',
  'Applying',
  'Completed',
  'Failed',
  'Cancelled',
] as const
export type TofuRunPhase = (typeof tofuRunPhases)[number]

/** A path of the configuration: relative, without a way up. RE2, which knows no lookahead, hence three rules. */
const pathRules = (field: string, each: string) => [
  {
    rule: `self.all(${each}, size(${each}) >= 1 && size(${each}) <= 250)`,
    message: `${field}: the path of a file has 1 to 250 characters`,
  },
  {
    rule: `self.all(${each}, !${each}.startsWith('/') && !${each}.matches('(^|/)[.][.]?(/|$)'))`,
    message: `${field}: the path of a file is relative and has no part that is '.' or '..'`,
  },
]

/** As Go writes durations; so many digits that none is too long for CEL's `duration()`, which would answer in its own words. */
const DURATION = '^([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$'

function duration(field: string, longest: string) {
  return z
    .string()
    .max(16)
    .meta(
      rules(
        {
          rule: `self != '' && self.matches('${DURATION}')`,
          message: `${field} is a duration such as 90s, 30m or 1h30m`,
        },
        {
          rule: `!self.matches('${DURATION}') || self == '' || (duration(self) >= duration('1s') && duration(self) <= duration('${longest}'))`,
          message: `${field} is at least 1s and at most ${longest}`,
        },
      ),
    )
}

const git = z
  .object({
    url: z
      .string()
      .min(1)
      .max(1024)
      .meta(
        rules({
          rule: "self.matches('^(https?://|ssh://)[^\\\\s]+$') || self.matches('^[A-Za-z0-9_.][A-Za-z0-9_.-]*@[A-Za-z0-9.-]+:[^\\\\s]+$')",
          message: 'spec.source.git.url begins with https://, http:// or ssh://, or is user@host:path',
        }),
      )
      .describe('Where the repository is: https://, http://, ssh:// or user@host:path.'),
    ref: z
      .string()
      .max(255)
      .default('')
      .meta(
        rules({
          rule: "self == '' || self.matches('^[A-Za-z0-9_.][A-Za-z0-9_./+@=,-]*$')",
          message: 'spec.source.git.ref is a branch, a tag or a commit, such as main or v1.2.0',
        }),
      )
      .describe(
        "Branch, tag or commit. Empty: the remote's default branch. What is applied is the commit that was planned.",
      ),
    path: z
      .string()
      .max(255)
      .default('')
      .meta(
        rules({
          rule: "!self.startsWith('/') && !self.matches('(^|/)[.][.](/|$)')",
          message: "spec.source.git.path is a folder within the repository, without '..'",
        }),
      )
      .describe('Folder of the configuration within the repository. Empty: its root.'),
    secretRef: z
      .object({
        name: objectName('spec.source.git.secretRef.name', 'a Secret in the same namespace').describe(
          "The Secret's name.",
        ),
      })
      .optional()
      .describe('Secret with token (and username), username and password, or ssh-privatekey (and known_hosts).'),
  })
  .describe('A git repository, fetched by the runner: one commit, without its history and without submodules.')

const source = z
  .object({
    inline: z
      .record(z.string(), z.string().max(262_144))
      .optional()
      .meta({
        maxProperties: 64,
        ...rules(
          { rule: 'size(self) > 0', message: 'spec.source.inline needs at least one file, such as main.tf' },
          ...pathRules('spec.source.inline', 'path'),
        ),
      })
      .describe('The files of the configuration by their path: main.tf and what else there is.'),
    configMapRef: z
      .object({
        name: objectName('spec.source.configMapRef.name', 'a ConfigMap in the same namespace').describe(
          "The ConfigMap's name.",
        ),
      })
      .optional()
      .describe('ConfigMap whose keys are the files of the configuration.'),
    git: git.optional(),
  })
  .meta(
    rules({
      rule: '[has(self.inline), has(self.configMapRef), has(self.git)].filter(given, given).size() == 1',
      message: 'spec.source needs exactly one of inline, configMapRef and git',
    }),
  )
  .describe('Where the configuration comes from: exactly one of inline, configMapRef and git.')

const again = 'create a new run'

const spec = z
  .object({
    command: z
      .enum(tofuCommands)
      .describe(
        'plan shows what would change, apply carries it out, destroy removes all that the state of the stack knows.',
      ),
    stack: z
      .string()
      .max(63)
      .default('default')
      .meta(
        rules({
          rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
          message: "spec.stack has lower-case letters, digits and '-', and begins and ends with a letter or digit",
        }),
      )
      .describe('Whose state it reads and writes. Runs of one stack never overlap.'),
    source,
    credentialRefs: z
      .array(
        z.object({
          name: objectName('spec.credentialRefs[].name', 'a Credential in the same namespace').describe(
            "The Credential's name.",
          ),
        }),
      )
      .max(8)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .describe(
        'Credentials that the providers find in their usual environment variables; one for each cloud at most.',
      ),
    variables: z
      .record(z.string(), z.string().max(16_384))
      .optional()
      .meta({
        maxProperties: 100,
        ...rules({
          rule: "self.all(name, size(name) <= 128 && name.matches('^[A-Za-z_][A-Za-z0-9_-]*$'))",
          message:
            "spec.variables: a name has at most 128 letters, digits, '_' and '-', and begins with a letter or '_'",
        }),
      })
      .describe('Input variables. A value that is no string is written as in HCL.'),
    variablesFrom: z
      .array(
        z.object({
          secretRef: z
            .object({
              name: objectName('spec.variablesFrom[].secretRef.name', 'a Secret in the same namespace').describe(
                "The Secret's name.",
              ),
            })
            .describe('The Secret; each of its keys is a variable.'),
        }),
      )
      .max(10)
      .optional()
      .describe(
        'Secrets whose keys are input variables; spec.variables wins. A Secret that a Credential or VM uses is refused.',
      ),
    approval: z
      .object({
        mode: z
          .enum(['Auto', 'Manual'])
          .default('Auto')
          .describe('Auto applies the plan at once; Manual waits until spec.approvedPlan names its digest.'),
        maxAge: duration('spec.approval.maxAge', '168h')
          .default('1h')
          .describe('An older plan is not applied any more.'),
      })
      .prefault({})
      .describe('Whether somebody has to approve the plan, and for how long that is possible.'),
    approvedPlan: z
      .string()
      .max(71)
      .default('')
      .meta(
        rules({
          rule: "self == '' || self.matches('^sha256:[0-9a-f]{64}$')",
          message: 'spec.approvedPlan is the digest in status.plan.digest, such as sha256:…; empty approves nothing',
        }),
      )
      .describe('Digest of the plan that is approved, as status.plan.digest shows it. May be set later.'),
    cancel: z
      .boolean()
      .default(false)
      .describe('true stops the run: tofu finishes what is under way and saves the state. May be set later.'),
    timeout: duration('spec.timeout', '24h')
      .default('1h')
      .describe('How long the plan and the apply may each take. Waiting does not count.'),
    ttlSecondsAfterFinished: z
      .int()
      .min(0)
      .max(31_536_000)
      .default(604_800)
      .describe(
        'For how many seconds the finished run is kept, with its output. May be changed. What Argo CD, Flux or Helm keep stays for as long as they do: deleted, it would be made and run again.',
      ),
  })
  .meta(
    rules(
      ...(
        ['command', 'stack', 'source', 'credentialRefs', 'variables', 'variablesFrom', 'approval', 'timeout'] as const
      ).map((field) => immutable(field, again)),
      {
        rule: '!oldSelf.cancel || self.cancel',
        message: `spec.cancel cannot be taken back: ${again}`,
        fieldPath: '.cancel',
      },
    ),
  )
  .describe('What is to be done, with which configuration and on which state.')

const plan = z
  .object({
    digest: z.string().max(71).describe('sha256 of the plan file: what an approval names.'),
    add: z.int().min(0).describe('How many resources it adds.'),
    change: z.int().min(0).describe('How many resources it changes.'),
    destroy: z.int().min(0).describe('How many resources it destroys.'),
    at: time.describe('When it was made.'),
    stateVersion: z
      .int()
      .min(0)
      .describe('The version of the state that it was made on; on another it is not applied.'),
    commit: z.string().max(64).optional().describe('The commit of a git source.'),
    changes: z
      .array(
        z.object({
          address: z.string().max(512).describe('The address of the resource.'),
          actions: z.array(z.string().max(16)).max(4).describe('create, update, delete; a replacement has two.'),
        }),
      )
      .max(100)
      .optional()
      .describe('What it does to each resource, the first hundred.'),
    changesLeftOut: z.int().min(0).optional().describe('How many more changes there are.'),
  })
  .describe('The plan, once there is one.')

const status = z
  .object({
    phase: z.enum(tofuRunPhases).optional().describe('How far it is.'),
    plan: plan.optional(),
    outputs: z
      .record(z.string(), z.string().max(4096))
      .optional()
      .meta({ maxProperties: 100 })
      .describe('Outputs of the configuration that are not sensitive; what is no string is JSON.'),
    startedAt: time.optional().describe('When its turn came.'),
    phaseStartedAt: time.optional().describe('When its plan, or then its apply, began.'),
    completedAt: time.optional().describe('When it was over.'),
    error: z.string().max(4096).optional().describe("What went wrong: tofu's own words, with file and line."),
    ticket: z.string().max(64).optional().describe('Its place among runs that were created within the same second.'),
    observedGeneration: observedGeneration.optional(),
    conditions: conditions.optional(),
  })
  .describe('How far it is, and what came of it.')

export const tofuRunKind = defineKind({
  kind: 'TofuRun',
  singular: 'tofurun',
  plural: 'tofuruns',
  shortNames: ['tr'],
  categories: [category],
  scope: 'Namespaced',
  description:
    'One plan, apply or destroy of an OpenTofu configuration. What is applied is the very plan that was shown; the state is kept encrypted in the cluster.',
  spec,
  status,
  rules: [nameIsLabel('TofuRun')],
  columns: [
    { name: 'Command', type: 'string', jsonPath: '.spec.command', description: 'plan, apply or destroy.' },
    { name: 'Stack', type: 'string', jsonPath: '.spec.stack', description: 'Whose state it works on.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'How far it is.' },
    { name: 'Add', type: 'integer', jsonPath: '.status.plan.add', description: 'Resources that the plan adds.' },
    {
      name: 'Change',
      type: 'integer',
      jsonPath: '.status.plan.change',
      description: 'Resources that the plan changes.',
    },
    {
      name: 'Destroy',
      type: 'integer',
      jsonPath: '.status.plan.destroy',
      description: 'Resources that the plan destroys.',
    },
    reasonColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.stack', '.spec.command'],
})

export type TofuRun = ObjectOf<typeof tofuRunKind>
export type TofuRunStatus = NonNullable<TofuRun['status']>
