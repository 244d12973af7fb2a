/** VM: one instance at a cloud provider, and the wish for how it should be. */
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
  time,
} from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'
import { category } from './names.ts'

export const vmStates = ['pending', 'running', 'stopping', 'stopped', 'starting', 'terminated', 'error'] as const
export type VMState = (typeof vmStates)[number]

/** EC2 takes 50 tags on an instance; the rest is the controller's own. */
export const maxTags = 40

const network = z
  .object({
    subnetID: z.string().max(256).optional().describe("The subnet. Empty: the region's or zone's default one."),
    securityGroupIDs: z
      .array(z.string().min(1).max(256))
      .max(16)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe("Security groups on AWS, network tags on GCP. None: the network's default."),
    publicIP: z.boolean().optional().describe('Whether to have a public address. Left out: as the subnet does it.'),
  })
  .describe('How it is connected. It cannot be changed.')

const rootDisk = z
  .object({
    sizeGiB: z.int().min(1).max(65_536).optional().describe("Size in GiB. Left out: the image's."),
    type: z
      .string()
      .max(64)
      .optional()
      .describe("The provider's name for the kind of disk, such as gp3 or pd-balanced."),
  })
  .describe('The disk that it boots from. It cannot be changed.')

const tags = z
  .record(z.string(), z.string().max(256))
  .meta({
    maxProperties: maxTags,
    ...rules(
      {
        rule: 'self.all(key, size(key) >= 1 && size(key) <= 128)',
        message: 'spec.tags: a key has 1 to 128 characters, as EC2 takes them',
      },
      {
        rule: "self.all(key, !key.startsWith('skyclust.io/') && !key.startsWith('skyclust-') && !key.startsWith('aws:'))",
        message: "spec.tags: keys that begin with 'skyclust.io/', 'skyclust-' or 'aws:' are reserved, choose others",
      },
      {
        rule: "!('Name' in self)",
        message: "spec.tags: 'Name' is always the VM's own name, leave it out",
      },
    ),
  })
  .describe('Tags on AWS, labels on GCP, that the instance shall have beside those of SkyClust. They may be changed.')

const remake = 'delete this VM and make another one'

const spec = z
  .object({
    provider: z.enum(providers).describe("The cloud provider, the same as the Credential's. It cannot be changed."),
    credentialRef: z
      .object({
        name: objectName('spec.credentialRef.name', 'a Credential in the same namespace').describe(
          "The Credential's name.",
        ),
      })
      .describe('The Credential in the same namespace with which the instance is made. It cannot be changed.'),
    region: placeName('spec.region', 'us-east-1')
      .optional()
      .describe("The region. Default: the Credential's. It cannot be changed."),
    zone: placeName('spec.zone', 'us-east-1a')
      .optional()
      .describe("The zone. Default: the provider's choice. It cannot be changed."),
    instanceType: z
      .string()
      .min(1)
      .max(64)
      .describe(
        'The instance type, such as t3.micro. A change is carried out while the VM is stopped; until then the condition Drifted says so.',
      ),
    image: z.string().min(1).max(512).describe('The image to boot from: an AMI id, a GCP image. It cannot be changed.'),
    powerState: z.enum(['Running', 'Stopped']).default('Running').describe('Whether it shall run.'),
    deletionPolicy: z
      .enum(['Delete', 'Orphan'])
      .default('Delete')
      .describe('What becomes of the instance when the VM is deleted: terminated with its data, or left as it is.'),
    replacePolicy: z
      .enum(['Never', 'OnTermination'])
      .default('Never')
      .describe('Whether an instance that was terminated by somebody else is made again, without its data.'),
    marketType: z
      .enum(['OnDemand', 'Spot'])
      .default('OnDemand')
      .describe('OnDemand, or Spot: cheaper, and the provider may end it at any time. It cannot be changed.'),
    network: network.optional(),
    rootDisk: rootDisk.optional(),
    sshKeyName: z
      .string()
      .max(255)
      .optional()
      .describe("The provider's name of an SSH key to let in. It cannot be changed."),
    userDataSecretRef: z
      .object({
        name: objectName('spec.userDataSecretRef.name', 'a Secret in the same namespace').describe(
          "The Secret's name.",
        ),
      })
      .optional()
      .describe(
        "A Secret in the same namespace whose key user-data the instance gets at its first start. A Credential's Secret is refused. It cannot be changed.",
      ),
    instanceProfile: z
      .string()
      .max(512)
      .optional()
      .describe('The AWS instance profile (name or ARN) or GCP service account that it runs as. It cannot be changed.'),
    tags: tags.optional(),
    adopt: z
      .object({
        instanceID: z
          .string()
          .max(256)
          .meta(
            rules({
              rule: "self.matches('^[A-Za-z0-9][A-Za-z0-9._:/-]*$')",
              message:
                'spec.adopt.instanceID must be the id that the provider gave the instance, such as i-0123456789abcdef0; on GCP also its name, zone/name or link',
            }),
          )
          .describe(
            'Its id at the provider. On GCP also its name, if that is in one zone of the region only, zone/name, or its link.',
          ),
      })
      .optional()
      .describe('An instance that exists already, to be taken over instead of making one. It cannot be changed.'),
  })
  .meta(
    rules(
      immutable('provider', remake),
      immutable('credentialRef', remake),
      immutable('region', remake),
      immutable('zone', remake),
      immutable('image', remake),
      immutable('marketType', remake),
      immutable('network', remake),
      immutable('rootDisk', remake),
      immutable('sshKeyName', remake),
      immutable('userDataSecretRef', remake),
      immutable('instanceProfile', remake),
      immutable('adopt', remake),
      {
        rule: "self.provider == 'gcp' || self.marketType != 'Spot' || self.powerState != 'Stopped'",
        message:
          'spec.powerState cannot be Stopped for a Spot instance on AWS, which can only be terminated: delete the VM instead',
        fieldPath: '.powerState',
      },
      {
        rule: "self.provider != 'gcp' || !has(self.tags) || self.tags.all(key, size(key) <= 63 && key.matches('^[a-z][a-z0-9_-]*$') && size(self.tags[key]) <= 63 && self.tags[key].matches('^[a-z0-9_-]*$'))",
        message:
          "spec.tags of a VM on GCP are labels: keys and values have at most 63 lower-case letters, digits, '-' and '_', and a key begins with a letter",
        fieldPath: '.tags',
      },
      {
        rule: '!has(self.region) || !has(self.zone) || self.zone.startsWith(self.region)',
        message: 'spec.zone is not in spec.region: choose a zone of that region, or leave one of the two out',
        fieldPath: '.zone',
      },
    ),
  )
  .describe('How the instance shall be.')

const intent = z
  .object({
    token: z.string().max(64).describe('Idempotency key of the create: the same for each attempt at one incarnation.'),
    incarnation: z.int().min(0).describe('Which of the instances of this VM it would make.'),
    attempt: z.int().min(1).describe('How many times the create has been sent.'),
    zone: z
      .string()
      .max(63)
      .optional()
      .describe('The zone that was chosen for it; left out where the provider chooses.'),
    firstStartedAt: time.describe('When it was first sent.'),
    startedAt: time.describe('When it was last sent.'),
    endedAt: time.optional().describe('When the last attempt ended without its outcome being known.'),
  })
  .describe('A create whose outcome is not known yet: written before it is sent, gone once it is known.')

const status = z
  .object({
    instanceID: z.string().max(256).optional().describe("The provider's id of the instance."),
    state: z.enum(vmStates).optional().describe('How the instance is, as last seen.'),
    publicIP: z.string().max(64).optional().describe('Its public address; empty while it has none.'),
    privateIP: z.string().max(64).optional().describe('Its private address; empty while it has none.'),
    account: z.string().max(256).optional().describe('The AWS account or GCP project that it is in.'),
    region: z.string().max(63).optional().describe('The region that it is in.'),
    zone: z.string().max(63).optional().describe('The zone that it is in.'),
    instanceType: z.string().max(64).optional().describe('The instance type that it has.'),
    launchTime: time.optional().describe('When it was last started.'),
    incarnation: z
      .int()
      .min(0)
      .optional()
      .describe('How many instances this VM has had before the present one; left out: none.'),
    create: intent.optional(),
    tagKeys: z
      .array(z.string().max(128))
      .max(50)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Keys of the tags that were set because of spec.tags: one that leaves the spec is taken off.'),
    observedGeneration: observedGeneration.optional(),
    conditions: conditions.optional(),
  })
  .describe('How the instance is, as last seen.')

export const vmKind = defineKind({
  kind: 'VM',
  singular: 'vm',
  plural: 'vms',
  categories: [category],
  scope: 'Namespaced',
  description:
    'One instance at a cloud provider. It is Ready when the instance is as the spec wants it, be that running or stopped; deleting the VM terminates it.',
  spec,
  status,
  rules: [nameIsLabel('VM')],
  columns: [
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'How the instance is.' },
    { name: 'Ready', type: 'string', jsonPath: readyColumn.jsonPath, description: readyColumn.description },
    reasonColumn,
    { name: 'Type', type: 'string', jsonPath: '.status.instanceType', description: 'Its instance type.' },
    { name: 'Zone', type: 'string', jsonPath: '.status.zone', description: 'Where it is.' },
    { name: 'Public-IP', type: 'string', jsonPath: '.status.publicIP', description: 'Its public address.' },
    {
      name: 'Private-IP',
      type: 'string',
      jsonPath: '.status.privateIP',
      description: 'Its private address.',
      priority: 1,
    },
    { name: 'Instance', type: 'string', jsonPath: '.status.instanceID', description: "The provider's id of it." },
    {
      name: 'Credential',
      type: 'string',
      jsonPath: '.spec.credentialRef.name',
      description: 'The Credential that it was made with.',
      priority: 1,
    },
    ageColumn,
  ],
  selectableFields: ['.spec.provider', '.spec.credentialRef.name', '.status.state'],
})

export type VM = ObjectOf<typeof vmKind>
