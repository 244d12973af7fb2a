import { credentialKind } from '../../crds/credential.ts'
import { describeRules } from './describe-rules.ts'

const roleARN = 'arn:aws:iam::123456789012:role/skyclust'

describeRules({
  kind: credentialKind,
  valid: { provider: 'aws', secretRef: { name: 'key' } },
  fields: [
    {
      field: 'a Secret',
      admits: { secretRef: { name: 'aws-main' } },
      refuses: { secretRef: { name: 'AWS' } },
      says: 'spec.secretRef.name must be the name of a Secret in the same namespace',
    },
    {
      field: 'a Secret where the key comes from one',
      admits: { source: 'Ambient', secretRef: undefined },
      refuses: { source: 'Secret', secretRef: undefined },
      says: 'spec.secretRef is missing: name the Secret that holds the key, or set spec.source to Ambient',
    },
    {
      field: 'no Secret where the key comes from none',
      admits: { source: 'Secret' },
      refuses: { source: 'Ambient' },
      says: 'spec.secretRef is not used when spec.source is Ambient: leave one of the two out',
    },
    {
      field: 'a region',
      admits: { region: 'us-east-1' },
      refuses: { region: 'US East (N. Virginia)' },
      says: 'spec.region must be a name such as us-east-1; leave the field out for the default',
    },
    {
      field: 'a role',
      admits: { aws: { roleARN: 'arn:aws-us-gov:iam::123456789012:role/team/skyclust', externalID: '' } },
      refuses: { aws: { roleARN: 'skyclust' } },
      says: 'spec.aws.roleARN must be the ARN of an IAM role',
    },
    {
      field: 'an external id',
      admits: { aws: { roleARN, externalID: 'team-a/42' } },
      refuses: { aws: { roleARN, externalID: 'team a' } },
      says: 'spec.aws.externalID must have at least 2 characters out of letters, digits',
    },
    {
      field: 'an external id for a role only',
      admits: { aws: { roleARN: '', externalID: '' } },
      refuses: { aws: { externalID: 'team-a' } },
      says: 'spec.aws.externalID is only used when assuming a role: set spec.aws.roleARN, or leave it out',
    },
    {
      field: 'a project',
      admits: { provider: 'gcp', gcp: { projectID: 'example.com:my-project-42' } },
      refuses: { provider: 'gcp', gcp: { projectID: 'My Project' } },
      says: 'spec.gcp.projectID must be a project id such as my-project-42',
    },
  ],
  names: [{ admits: 'aws-main', refuses: 'aws.main', says: 'metadata.name of a Credential has no dots' }],
  changes: [
    {
      from: {},
      admits: { region: 'us-east-2', secretRef: { name: 'rotated' }, aws: { roleARN } },
      refuses: { provider: 'sim' },
      says: 'spec.provider cannot be changed: make another Credential for the other provider',
    },
  ],
})
