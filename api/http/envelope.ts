/**
 * The envelope: how every answer of `/api/v1` is wrapped.
 *
 * A route answers with one of these functions; their types carry the data to the route's declared schema, so that
 * an answer which is not what `/openapi.json` says does not compile. Data of which the JSON text is known already
 * is not serialised again.
 */
import type { TypedResponse } from 'hono'
import type { JSONParsed } from 'hono/utils/types'
import type { Message } from '../language/messages.ts'
import type { ApiError } from './api-error.ts'
import type { ApiContext, Call } from './call.ts'

type Json = 'application/json; charset=utf-8'
const JSON_TYPE: Json = 'application/json; charset=utf-8'

/** JSON text that stands for a `T`. */
export type JsonText<T> = string & { readonly stands?: T }

export interface DataAnswer<T> {
  success: true
  data: T
}

export interface MessageAnswer {
  success: true
  message: string
}

export function dataAnswer<T>(context: ApiContext, data: T): TypedResponse<JSONParsed<DataAnswer<T>>, 200, 'json'> {
  return answer(context, 200, `{"success":true,"data":${JSON.stringify(data)}}`)
}

/** @param at where what was made can be read, if it can (RFC 9110 §15.3.2) */
export function createdAnswer<T>(
  context: ApiContext,
  data: T,
  at?: `/api/v1/${string}`,
): TypedResponse<JSONParsed<DataAnswer<T>>, 201, 'json'> {
  if (at !== undefined) context.env.call.headers.location = at
  return answer(context, 201, `{"success":true,"data":${JSON.stringify(data)}}`)
}

/** {@link dataAnswer} of data whose text is known already. */
export function textAnswer<T>(
  context: ApiContext,
  text: JsonText<T>,
): TypedResponse<JSONParsed<DataAnswer<T>>, 200, 'json'> {
  return answer(context, 200, `{"success":true,"data":${text}}`)
}

/** One page of a list, with the size of the whole in `X-Total-Count`. */
export function listAnswer<T>(
  context: ApiContext,
  page: { readonly items: readonly JsonText<T>[]; readonly total: number },
): TypedResponse<JSONParsed<DataAnswer<T[]>>, 200, 'json'> {
  context.env.call.headers['x-total-count'] = String(page.total)
  return answer(context, 200, `{"success":true,"data":[${page.items.join(',')}]}`)
}

export function messageAnswer(
  context: ApiContext,
  message: Message,
): TypedResponse<JSONParsed<MessageAnswer>, 200, 'json'> {
  const call = context.env.call
  speak(call)
  return answer(context, 200, JSON.stringify({ success: true, message: message[call.locale] }))
}

export function errorAnswer(call: Call, error: ApiError): Response {
  speak(call)
  Object.assign(call.headers, error.headers)
  const fields = error.fields && translate(error.fields, call)
  const body = {
    success: false,
    error: { code: error.code, message: error.said[call.locale], ...(fields && { details: { fields } }) },
  }
  return jsonResponse(call, error.status, JSON.stringify(body))
}

/** Caches must know that the text depends on the language asked for. */
function speak(call: Call): void {
  call.headers['content-language'] = call.locale
  call.headers.vary = 'Accept-Language'
}

function translate(fields: Readonly<Record<string, Message>>, call: Call): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([path, said]) => [path, said[call.locale]]))
}

function answer<Body, Status extends 200 | 201>(
  context: ApiContext,
  status: Status,
  text: string,
): TypedResponse<Body, Status, 'json'> {
  // Hono types a JSON answer by what was serialised; here the text was serialised before, and the types say of what.
  return jsonResponse(context.env.call, status, text) as unknown as TypedResponse<Body, Status, 'json'>
}

export function jsonResponse(call: Call, status: number, text: string): Response {
  call.headers['content-type'] = JSON_TYPE
  return new Response(text, { status, headers: call.headers })
}
