/** The manifests of the contract of the resources, with every field of it at once, as a reader would copy them. */
export const contractExamples = {
  workspace: `
apiVersion: skyclust.io/v1alpha1
kind: Workspace
metadata: {name: team-a}
spec:
  displayName: Team A
  description: ""
  owner: alice
  members:
  - {user: bob, role: member}
  groups:
  - {group: platform, role: viewer}
  quota: {vms: 100, tofuRuns: 20}
`,
  credential: `
apiVersion: skyclust.io/v1alpha1
kind: Credential
metadata: {name: aws-main, namespace: team-a}
spec:
  provider: aws
  source: Secret
  secretRef: {name: aws-main}
  region: us-east-1
  aws: {roleARN: "", externalID: ""}
  gcp: {projectID: my-project}
`,
  vm: `
apiVersion: skyclust.io/v1alpha1
kind: VM
metadata: {name: web-1, namespace: team-a}
spec:
  provider: aws
  credentialRef: {name: aws-main}
  region: us-east-1
  zone: us-east-1a
  instanceType: t3.micro
  image: ami-0abcdef1234567890
  powerState: Running
  deletionPolicy: Delete
  replacePolicy: Never
  marketType: OnDemand
  network: {subnetID: "", securityGroupIDs: [], publicIP: true}
  rootDisk: {sizeGiB: 20, type: gp3}
  sshKeyName: ""
  userDataSecretRef: {name: web-1-user-data}
  instanceProfile: ""
  tags: {team: a}
  adopt: {instanceID: i-0123}
`,
  tofuRun: `
apiVersion: skyclust.io/v1alpha1
kind: TofuRun
metadata: {name: net-42, namespace: team-a}
spec:
  command: plan
  stack: default
  source:
    inline: {main.tf: "..."}
  credentialRefs: [{name: aws-main}]
  variables: {instance_count: "2"}
  variablesFrom: [{secretRef: {name: tofu-vars}}]
  approval: {mode: Auto, maxAge: 1h}
  approvedPlan: ""
  cancel: false
  timeout: 1h
  ttlSecondsAfterFinished: 604800
`,
  user: `
apiVersion: skyclust.io/v1alpha1
kind: User
metadata: {name: alice}
spec: {email: alice@example.com, displayName: Alice, admin: false, disabled: false}
`,
} as const
