import { vmKind } from '../../crds/vm.ts'
import { describeRules } from './describe-rules.ts'

/** What may be changed of a VM, all at once. */
const changeable = {
  instanceType: 't3.small',
  powerState: 'Stopped',
  deletionPolicy: 'Orphan',
  replacePolicy: 'OnTermination',
  tags: { team: 'b' },
}

/** What may not: two values, and whether a VM may also be made without. */
const fixed = [
  { field: 'provider', one: 'aws', other: 'sim', optional: false },
  { field: 'credentialRef', one: { name: 'one' }, other: { name: 'other' }, optional: false },
  { field: 'image', one: 'ami-1', other: 'ami-2', optional: false },
  { field: 'marketType', one: 'OnDemand', other: 'Spot', optional: false },
  { field: 'region', one: 'us-east-1', other: 'us-east-2', optional: true },
  { field: 'zone', one: 'us-east-1a', other: 'us-east-1b', optional: true },
  { field: 'network', one: { publicIP: true }, other: { publicIP: false }, optional: true },
  { field: 'rootDisk', one: { sizeGiB: 20 }, other: { sizeGiB: 30 }, optional: true },
  { field: 'sshKeyName', one: 'one', other: 'other', optional: true },
  { field: 'userDataSecretRef', one: { name: 'one' }, other: { name: 'other' }, optional: true },
  { field: 'instanceProfile', one: 'one', other: 'other', optional: true },
  { field: 'adopt', one: { instanceID: 'i-1' }, other: { instanceID: 'i-2' }, optional: true },
]

describeRules({
  kind: vmKind,
  valid: { provider: 'aws', credentialRef: { name: 'aws' }, instanceType: 't3.micro', image: 'ami-1' },
  fields: [
    {
      field: 'a Credential',
      admits: { credentialRef: { name: 'aws-main' } },
      refuses: { credentialRef: { name: 'aws/main' } },
      says: 'spec.credentialRef.name must be the name of a Credential in the same namespace',
    },
    {
      field: 'user data',
      admits: { userDataSecretRef: { name: 'web-1-user-data' } },
      refuses: { userDataSecretRef: { name: '#!/bin/sh' } },
      says: 'spec.userDataSecretRef.name must be the name of a Secret in the same namespace',
    },
    {
      field: 'a region',
      admits: { region: 'eu-central-1' },
      refuses: { region: 'eu_central_1' },
      says: 'spec.region must be a name such as us-east-1; leave the field out for the default',
    },
    {
      field: 'a zone',
      admits: { zone: 'us-west-2-lax-1a' },
      refuses: { zone: 'a' },
      says: 'spec.zone must be a name such as us-east-1a; leave the field out for the default',
    },
    {
      field: 'a zone of the region',
      admits: { region: 'us-west-2', zone: 'us-west-2-lax-1a' },
      refuses: { region: 'us-west-2', zone: 'us-east-1a' },
      says: 'spec.zone is not in spec.region: choose a zone of that region, or leave one of the two out',
    },
    {
      field: 'an instance to adopt',
      admits: { adopt: { instanceID: 'i-0123456789abcdef0' } },
      refuses: { adopt: { instanceID: 'my instance' } },
      says: 'spec.adopt.instanceID must be the id that the provider gave the instance',
    },
    {
      field: 'a power state of a Spot instance',
      admits: { provider: 'gcp', marketType: 'Spot', powerState: 'Stopped' },
      refuses: { provider: 'aws', marketType: 'Spot', powerState: 'Stopped' },
      says: 'spec.powerState cannot be Stopped for a Spot instance on AWS',
    },
    {
      field: 'tags as long as EC2 takes them',
      admits: { tags: { [`${'k'.repeat(127)}é`]: 'value', 'cost centre': '' } },
      refuses: { tags: { ['k'.repeat(129)]: 'value' } },
      says: 'spec.tags: a key has 1 to 128 characters, as EC2 takes them',
    },
    {
      field: 'tags of its own',
      admits: { tags: { 'skyclust.example.com/team': 'a', awsome: 'yes' } },
      refuses: { tags: { 'skyclust.io/vm': 'other/vm' } },
      says: "spec.tags: keys that begin with 'skyclust.io/', 'skyclust-' or 'aws:' are reserved, choose others",
    },
    {
      field: 'tags beside its Name',
      admits: { tags: { name: 'web' } },
      refuses: { tags: { Name: 'web' } },
      says: "spec.tags: 'Name' is always the VM's own name, leave it out",
    },
    {
      field: 'labels on GCP',
      admits: { provider: 'gcp', tags: { team: 'a', 'cost-centre_1': '' } },
      refuses: { provider: 'gcp', tags: { Team: 'a' } },
      says: 'spec.tags of a VM on GCP are labels: keys and values have at most 63 lower-case letters',
    },
  ],
  names: [{ admits: 'web-1', refuses: 'web.1', says: 'metadata.name of a VM has no dots' }],
  changes: fixed.flatMap(({ field, one, other, optional }) => {
    const says = `spec.${field} cannot be changed: delete this VM and make another one`
    const kept = { from: { [field]: one }, admits: changeable, says }
    const toAnother = { ...kept, refuses: { [field]: other } }
    const taken = { ...kept, refuses: { [field]: null } }
    const added = { from: {}, admits: changeable, refuses: { [field]: one }, says }
    return optional ? [toAnother, taken, added] : [toAnother]
  }),
})
