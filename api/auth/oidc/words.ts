/** What the OIDC routes say to a caller. No code, state or token is ever part of a sentence. */
import type { Message } from '../../language/messages.ts'

export const oidcWords = {
  providerAway: (name: string) => ({
    ko: `로그인 제공자 ${name}이(가) 응답하지 않습니다. 잠시 뒤 다시 시도하십시오.`,
    en: `The identity provider ${name} does not answer: try again in a moment.`,
  }),
  providerMisconfigured: (name: string, why: string) => ({
    ko: `로그인 제공자 ${name}의 설정이 올바르지 않습니다. 관리자에게 알려 주십시오: ${why}`,
    en: `The identity provider ${name} and this installation do not agree; tell an administrator: ${why}`,
  }),
  badState: {
    ko: 'state가 올바르지 않거나 만료되었거나 이미 사용되었습니다. 로그인을 다시 시작하십시오.',
    en: 'The state is not valid, has expired or was used before: begin the login again.',
  },
  otherBrowser: {
    ko: '이 로그인은 다른 브라우저나 사용자가 시작했습니다. 로그인을 다시 시작하십시오.',
    en: 'This login was begun by another browser or user: begin it again here.',
  },
  refusedByProvider: (name: string, why: string) => ({
    ko: `${name} 로그인을 확인할 수 없습니다: ${why}. 로그인을 다시 시작하십시오.`,
    en: `The login at ${name} could not be verified: ${why}. Begin it again.`,
  }),
  noEmail: (name: string) => ({
    ko: `${name}이(가) 이메일 주소를 알려 주지 않아 사용자를 만들 수 없습니다. email 범위(scope)가 필요합니다.`,
    en: `${name} gave no e-mail address, so no user can be made: the scope email is needed.`,
  }),
  emailBelongsToUser: {
    ko: '이 이메일을 쓰는 사용자가 이미 있습니다. 먼저 그 사용자로 로그인한 뒤 토큰과 함께 다시 시도하여 연결하십시오.',
    en: 'A user with this e-mail address exists: log in as that user first, then repeat this with the token to link the two.',
  },
  linkedToOther: {
    ko: '이 외부 계정은 이미 다른 사용자와 연결되어 있습니다.',
    en: 'This external identity is linked to another user.',
  },
  disabled: {
    ko: '비활성화된 사용자입니다. 관리자에게 문의하십시오.',
    en: 'This user is disabled: ask an administrator.',
  },
} as const satisfies Record<string, Message | ((...details: never[]) => Message)>
