/** Credential: an identity at a cloud provider, whose key is in a Secret. */
import { z } from 'zod'
import {
  ageColumn,
  conditions,
  immutable,
  nameIsLabel,
  objectName,
  observedGeneration,
  placeName,
  providers,
  readyColumn,
  reasonColumn,
  rules,
} from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'
import { category } from './names.ts'

export const credentialSources = ['Secret', 'Ambient'] as const

const aws = z
  .object({
    roleARN: z
      .string()
      .max(2048)
      .optional()
      .meta(
        rules({
          rule: "self == '' || self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$')",
          message: 'spec.aws.roleARN must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/skyclust',
        }),
      )
      .describe('IAM role to assume with the key. Empty: the key itself is used.'),
    externalID: z
      .string()
      .max(1224)
      .optional()
      .meta(
        rules({
          rule: "self == '' || self.matches('^[A-Za-z0-9+=,.@:/_-]{2,}$')",
          message: "spec.aws.externalID must have at least 2 characters out of letters, digits and '+=,.@:/_-'",
        }),
      )
      .describe('External id that the role asks for, if it does.'),
  })
  .meta(
    rules({
      rule: "self.?externalID.orValue('') == '' || self.?roleARN.orValue('') != ''",
      message: 'spec.aws.externalID is only used when assuming a role: set spec.aws.roleARN, or leave it out',
      fieldPath: '.externalID',
    }),
  )
  .describe('What provider aws needs to know; another one does not look at it.')

const gcp = z
  .object({
    projectID: z
      .string()
      .max(63)
      .optional()
      .meta(
        rules({
          rule: "self == '' || self.matches('^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')",
          message: 'spec.gcp.projectID must be a project id such as my-project-42 (not its name, not its number)',
        }),
      )
      .describe('Project in which to work. Empty: the one that the key belongs to.'),
  })
  .describe('What provider gcp needs to know; another one does not look at it.')

const spec = z
  .object({
    provider: z.enum(providers).describe('The cloud provider. It cannot be changed.'),
    source: z
      .enum(credentialSources)
      .default('Secret')
      .describe(
        "Where the identity comes from: a Secret, or the controller's own surroundings (Ambient), which the operator has to allow.",
      ),
    secretRef: z
      .object({
        name: objectName('spec.secretRef.name', 'a Secret in the same namespace').describe("The Secret's name."),
      })
      .optional()
      .describe(
        'The Secret in the same namespace that holds the key. Keys for aws and sim: access_key, secret_key and, if temporary, session_token; for gcp: service_account_key.',
      ),
    region: placeName('spec.region', 'us-east-1').optional().describe('Region of the VMs that name none of their own.'),
    aws: aws.optional(),
    gcp: gcp.optional(),
  })
  .meta(
    rules(
      immutable('provider', 'make another Credential for the other provider'),
      {
        rule: "self.source != 'Secret' || has(self.secretRef)",
        message: 'spec.secretRef is missing: name the Secret that holds the key, or set spec.source to Ambient',
        fieldPath: '.secretRef',
      },
      {
        rule: "self.source != 'Ambient' || !has(self.secretRef)",
        message: 'spec.secretRef is not used when spec.source is Ambient: leave one of the two out',
        fieldPath: '.secretRef',
      },
    ),
  )
  .describe('Which identity it is, and where its key is.')

const status = z
  .object({
    account: z.string().max(256).optional().describe('The AWS account or GCP project, as the cloud says it.'),
    identity: z.string().max(2048).optional().describe('Who the cloud says this is: an ARN, an e-mail address.'),
    observedGeneration: observedGeneration.optional(),
    conditions: conditions.optional(),
  })
  .describe('What the cloud said of it.')

export const credentialKind = defineKind({
  kind: 'Credential',
  singular: 'credential',
  plural: 'credentials',
  shortNames: ['cred'],
  categories: [category],
  scope: 'Namespaced',
  description:
    'An identity at a cloud provider. It is Ready once the cloud has accepted it, and stays, with its Secret, until the last VM or run that needs it is gone.',
  spec,
  status,
  rules: [nameIsLabel('Credential')],
  columns: [
    { name: 'Provider', type: 'string', jsonPath: '.spec.provider', description: 'The cloud provider.' },
    { name: 'Account', type: 'string', jsonPath: '.status.account', description: 'AWS account or GCP project.' },
    { name: 'Region', type: 'string', jsonPath: '.spec.region', description: 'Region of VMs that name none.' },
    readyColumn,
    reasonColumn,
    {
      name: 'Identity',
      type: 'string',
      jsonPath: '.status.identity',
      description: 'Who the cloud says this is.',
      priority: 1,
    },
    ageColumn,
  ],
  selectableFields: ['.spec.provider'],
})

export type Credential = ObjectOf<typeof credentialKind>
