/** The settings that both processes have, named and meant alike. */
import { setting } from './settings.ts'
import { dnsLabel, listOf, oneOf, url } from './value-schemas.ts'

export const sharedSettings = {
  namespace: setting('SKYCLUST_NAMESPACE', {
    schema: dnsLabel,
    default: 'skyclust-system',
    help: 'Namespace in which the installation keeps its own Secrets and Leases.',
  }),
  providers: setting('SKYCLUST_PROVIDERS', {
    schema: listOf('aws', 'gcp', 'sim'),
    default: 'aws,gcp',
    help: 'Which providers are on, comma-separated; sim must be named.',
  }),
  logLevel: setting('SKYCLUST_LOG_LEVEL', {
    schema: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    help: 'Least severity of the JSON lines on stdout.',
  }),
  awsEndpoint: setting('AWS_ENDPOINT_URL', { schema: url, help: "The AWS SDK's own: every AWS service is there." }),
  awsEc2Endpoint: setting('AWS_ENDPOINT_URL_EC2', { schema: url, help: "The AWS SDK's own: EC2 is there." }),
  awsStsEndpoint: setting('AWS_ENDPOINT_URL_STS', { schema: url, help: "The AWS SDK's own: STS is there." }),
  gcpEndpoint: setting('SKYCLUST_GCP_ENDPOINT', {
    schema: url,
    help: "A Compute Engine REST root other than Google's.",
  }),
  simEndpoint: setting('SKYCLUST_SIM_URL', {
    schema: url,
    help: 'Where the sim cloud listens; needed only when SKYCLUST_PROVIDERS names sim.',
  }),
}
