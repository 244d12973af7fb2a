/** The CustomResourceDefinition of a kind, as `kubectl apply` takes it. */
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
      ...(status && { status: structuralSchema(status, 'status') }),
    },
  }
}
