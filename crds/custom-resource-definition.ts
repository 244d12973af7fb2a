/** The CustomResourceDefinition of a kind, as `kubectl apply` takes it. */
import type { z } from 'zod'
import type { Kind, ValidationRule } from './kind.ts'
import { type StructuralSchema, structuralSchema } from './structural-schema.ts'

/** Of an object of ours: names go into labels, tags and host names, which have no more room. */
export const maxNameLength = 63

export function customResourceDefinition(kind: Kind): object {
  const { definition, group, version } = kind
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${group}`, labels: { 'app.kubernetes.io/part-of': 'skyclust' } },
    spec: {
      group,
      scope: definition.scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: definition.singular,
        ...(definition.shortNames && { shortNames: definition.shortNames }),
        ...(definition.categories && { categories: definition.categories }),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(definition.status && { subresources: { status: {} } }),
          additionalPrinterColumns: definition.columns,
          ...(definition.selectableFields && {
            selectableFields: definition.selectableFields.map((jsonPath) => ({ jsonPath })),
          }),
          schema: { openAPIV3Schema: objectSchema(kind) },
        },
      ],
    },
  }
}

function objectSchema({ definition }: Kind): StructuralSchema {
  const { description, spec, status, rules = [] } = definition
  return {
    description,
    type: 'object',
    required: ['spec'],
    ...(rules.length > 0 && { 'x-kubernetes-validations': rules satisfies readonly ValidationRule[] }),
    properties: {
      apiVersion: { description: 'The version of the API that the object is written in.', type: 'string' },
      kind: { description: 'The kind of the object.', type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: maxNameLength } } },
      spec: structuralSchema(spec, 'spec'),
      ...(status && { status: statusSchema(status) }),
    },
  }
}

/**
 * Until a controller has said something, kstatus readers (Flux, Helm 4) would take an object for done: without a status there is nothing that says it is not. So
 * there is one from the beginning, which says that no generation was acted upon.
 *
 * @see https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
function statusSchema(status: z.ZodObject): StructuralSchema {
  const schema = structuralSchema(status, 'status')
  return 'observedGeneration' in status.shape ? { ...schema, default: { observedGeneration: -1 } } : schema
}
