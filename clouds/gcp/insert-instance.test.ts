import { describe, expect, it } from 'vitest'
import type { InstanceSpec } from '../cloud.ts'
import { readEndpoint } from './connections.ts'
import { imageLink, insertInstanceBody } from './insert-instance.ts'

const place = { project: 'mine-1234', region: 'us-central1', zone: 'us-central1-a' }
const spec: InstanceSpec = {
  token: 'skyclust-x-0',
  tags: {},
  instanceType: 'e2-micro',
  image: 'debian-cloud/debian-12',
  marketType: 'OnDemand',
}

describe('an image', () => {
  it.each([
    ['projects/debian-cloud/global/images/family/debian-12', 'projects/debian-cloud/global/images/family/debian-12'],
    ['https://www.googleapis.com/compute/v1/projects/a/global/images/b', 'projects/a/global/images/b'],
    ['global/images/mine', 'global/images/mine'],
    ['debian-cloud/debian-12', 'projects/debian-cloud/global/images/family/debian-12'],
    ['family/web', 'projects/mine-1234/global/images/family/web'],
    ['web-20260101', 'projects/mine-1234/global/images/web-20260101'],
  ])('named %s is %s', (image, link) => {
    expect(imageLink(image, 'mine-1234')).toBe(link)
  })
})

describe('an insert', () => {
  it.each([
    ['#cloud-config\npackages: []', 'user-data'],
    ['## template: jinja\n#cloud-config', 'user-data'],
    ['Content-Type: multipart/mixed; boundary=x', 'user-data'],
    ['#!/bin/sh\necho', 'startup-script'],
  ])('gives %j to whoever understands it', (userData, key) => {
    const { metadata } = insertInstanceBody({ ...spec, userData }, place)
    expect(metadata.items).toContainEqual({ key, value: userData })
  })

  it('gives an instance no account that its spec does not name', () => {
    expect(insertInstanceBody(spec, place)).not.toHaveProperty('serviceAccounts')
  })

  it('lets Google stop a Spot instance, not delete it', () => {
    expect(insertInstanceBody({ ...spec, marketType: 'Spot' }, place).scheduling).toMatchObject({
      provisioningModel: 'SPOT',
      instanceTerminationAction: 'STOP',
    })
  })
})

describe('an endpoint of the operator’s', () => {
  it.each([
    ['http://127.0.0.1:9000', 'http://127.0.0.1:9000/compute/v1', 'http://127.0.0.1:9000'],
    ['http://127.0.0.1:9000/compute/v1/', 'http://127.0.0.1:9000/compute/v1', 'http://127.0.0.1:9000'],
    ['https://gce.example/mock', 'https://gce.example/mock/compute/v1', 'https://gce.example'],
    ['https://compute-x.p.googleapis.com', 'https://compute-x.p.googleapis.com/compute/v1', undefined],
  ])('%s has its paths below it', (endpoint, root, foreignOrigin) => {
    expect(readEndpoint(endpoint)).toEqual({ root, foreignOrigin })
  })
})
