/**
 * Every sentence the facade says to a caller, in both languages, in one table.
 *
 * The commissioned Korean sentences are the contract's, to the letter; the others say what is wrong and what
 * would be right. A sentence that names something is a function. Nothing here may take a secret.
 */
import type { Locale } from './negotiation.ts'

/** One sentence in every language there is. */
export type Message = Readonly<Record<Locale, string>>

/** What was done: the rows of the contract. */
export const done = {
  loggedOut: { ko: '로그아웃되었습니다.', en: 'Logged out.' },
  userDeleted: { ko: '사용자가 삭제되었습니다.', en: 'User deleted.' },
  workspaceDeleted: { ko: '워크스페이스가 삭제되었습니다.', en: 'Workspace deleted.' },
  memberAdded: { ko: '멤버가 추가되었습니다.', en: 'Member added.' },
  memberRemoved: { ko: '멤버가 제거되었습니다.', en: 'Member removed.' },
  credentialDeleted: { ko: '자격증명이 삭제되었습니다.', en: 'Credential deleted.' },
  vmStarted: { ko: 'VM이 시작되었습니다.', en: 'VM started.' },
  vmStopped: { ko: 'VM이 중지되었습니다.', en: 'VM stopped.' },
  estimateDeleted: { ko: '견적이 삭제되었습니다.', en: 'Estimate deleted.' },
  vmDeleted: { ko: 'VM이 삭제되었습니다.', en: 'VM deleted.' },
} as const satisfies Record<string, Message>

/** What was refused or failed. */
export const refused = {
  validation: { ko: '입력값이 올바르지 않습니다.', en: 'The input did not validate.' },
  bodyMissing: { ko: '요청 본문에 JSON 객체가 필요합니다.', en: 'The request needs a JSON object as its body.' },
  bodyNotUtf8: { ko: '요청 본문이 UTF-8이 아닙니다.', en: 'The body is not UTF-8.' },
  bodyNotJson: (where: string) => ({
    ko: `요청 본문이 올바른 JSON이 아닙니다(${where}).`,
    en: `The body is not valid JSON (${where}).`,
  }),
  bodyTooDeep: (levels: number) => ({
    ko: `요청 본문의 중첩은 ${levels}단계까지 허용됩니다.`,
    en: `The body may be nested ${levels} levels deep at most.`,
  }),
  bodyTooLarge: (bytes: number) => ({
    ko: `요청 본문은 ${bytes}바이트까지 허용됩니다.`,
    en: `The body may have ${bytes} bytes at most.`,
  }),
  bodyTooSlow: {
    ko: '요청 본문이 제시간에 도착하지 않았습니다.',
    en: 'The body did not arrive in time.',
  },
  mediaType: {
    ko: '요청 본문은 Content-Type: application/json(UTF-8)이어야 합니다.',
    en: 'The body must be sent as Content-Type: application/json, in UTF-8.',
  },
  malformedRequest: { ko: '올바른 HTTP 요청이 아닙니다.', en: 'This is not a well-formed HTTP request.' },
  headersTooLarge: { ko: '요청 헤더가 너무 큽니다.', en: 'The request headers are too large.' },

  noToken: {
    ko: '인증이 필요합니다. 로그인한 뒤 Authorization: Bearer 헤더로 토큰을 보내십시오.',
    en: 'Authentication is needed: log in and send the token as Authorization: Bearer.',
  },
  badToken: {
    ko: '토큰이 올바르지 않거나 만료 또는 폐기되었습니다. 다시 로그인하십시오.',
    en: 'The token is not valid, has expired or was revoked: log in again.',
  },
  badLogin: {
    ko: '이메일 또는 비밀번호가 올바르지 않습니다.',
    en: 'The e-mail address or the password is wrong.',
  },
  badCurrentPassword: {
    ko: '현재 비밀번호가 올바르지 않습니다.',
    en: 'The current password is wrong.',
  },

  adminsOnly: { ko: '관리자만 사용할 수 있습니다.', en: 'Only administrators of the installation may do this.' },
  roleNeeded: (role: string) => ({
    ko: `이 워크스페이스에서 ${role} 이상의 역할이 필요합니다.`,
    en: `This needs the role ${role} or above in the workspace.`,
  }),
  readOnlyToken: {
    ko: '이 토큰은 읽기 전용입니다.',
    en: 'This token may only read.',
  },
  clusterForbids: {
    ko: '클러스터의 RBAC이 이 작업을 허용하지 않습니다. 워크스페이스의 RoleBinding을 확인하십시오.',
    en: 'The RBAC of the cluster does not allow this: look at the RoleBindings of the workspace.',
  },
  notYourself: {
    ko: '본인 또는 관리자만 변경할 수 있습니다.',
    en: 'Only the user or an administrator may do this.',
  },
  registrationClosed: {
    ko: '회원 가입이 닫혀 있습니다. 관리자에게 문의하십시오.',
    en: 'Registration is closed: ask an administrator.',
  },

  notFound: { ko: '리소스를 찾을 수 없습니다.', en: 'There is no such resource.' },
  noRoute: { ko: '해당 경로가 없습니다.', en: 'There is no such path.' },
  method: (allowed: string) => ({
    ko: `이 경로에서 허용되는 메서드는 ${allowed}입니다.`,
    en: `The methods of this path are ${allowed}.`,
  }),

  conflict: {
    ko: '현재 상태와 충돌합니다. 다시 읽은 뒤 시도하십시오.',
    en: 'It clashes with what exists: read it again and retry.',
  },
  emailTaken: { ko: '이미 사용 중인 이메일입니다.', en: 'The e-mail address is already in use.' },
  ownsWorkspaces: (names: string) => ({
    ko: `사용자가 소유한 워크스페이스가 있습니다: ${names}. 먼저 삭제하거나 소유자를 바꾸십시오.`,
    en: `The user owns workspaces: ${names}. Delete them or give them another owner first.`,
  }),
  ownerStays: {
    ko: '소유자는 멤버에서 제거하거나 역할을 바꿀 수 없습니다.',
    en: 'The owner cannot be removed or given another role.',
  },
  heirIsNoMember: {
    ko: '새 소유자는 먼저 워크스페이스의 멤버여야 합니다. POST /api/v1/workspaces/:id/members로 추가하십시오.',
    en: 'The new owner must be a member first: add them with POST /api/v1/workspaces/:id/members.',
  },
  vmNameTaken: (name: string) => ({
    ko: `이 워크스페이스에 이미 ${name}이라는 VM이 있습니다. 다른 이름을 사용하십시오.`,
    en: `The workspace already has a VM called ${name}: choose another name.`,
  }),
  beingDeleted: { ko: '삭제되는 중입니다.', en: 'It is being deleted.' },
  vmTerminated: {
    ko: '인스턴스가 종료되어 없습니다. VM을 삭제하고 새로 만드십시오.',
    en: 'The instance is gone: delete the VM and make a new one.',
  },
  noCredential: (provider: string) => ({
    ko: `이 워크스페이스에 ${provider} 자격증명이 없습니다. POST /api/v1/credentials로 먼저 등록하십시오.`,
    en: `The workspace has no ${provider} credential: make one first with POST /api/v1/credentials.`,
  }),
  credentialInUse: (names: string) => ({
    ko: `자격증명을 사용하는 VM이 있습니다: ${names}. 먼저 VM을 삭제하십시오.`,
    en: `VMs use this credential: ${names}. Delete them first.`,
  }),
  providerOff: (provider: string) => ({
    ko: `${provider} 제공자가 꺼져 있습니다. 관리자에게 문의하십시오.`,
    en: `The provider ${provider} is switched off: ask an administrator.`,
  }),
  ambientCredential: {
    ko: '이 자격증명은 Secret이 아니라 컨트롤러의 신원을 사용하므로 REST로 바꿀 수 없습니다.',
    en: "This credential uses the controller's own identity and no Secret: it cannot be changed here.",
  },
  tooManyEstimates: (most: number) => ({
    ko: `비용 견적은 사용자당 ${most}개까지 저장할 수 있습니다. 필요 없는 견적을 삭제하십시오.`,
    en: `A user may keep ${most} cost estimates: delete some that are not needed.`,
  }),
  ambientUnreadable: (credential: string) => ({
    ko: `자격증명 ${credential}은(는) 컨트롤러의 신원을 사용하므로 여기서 클라우드에 물을 수 없습니다. credential_id로 다른 자격증명을 지정하십시오.`,
    en: `The credential ${credential} uses the controller's own identity, with which the cloud cannot be asked here: name another with credential_id.`,
  }),
  managedElsewhere: (field: string, manager: string) => ({
    ko: `${field} 필드는 ${manager}이(가) 관리합니다. 그곳에서 변경하십시오.`,
    en: `The field ${field} is managed by ${manager}: change it there.`,
  }),
  workspaceTaken: (why: string) => ({
    ko: `워크스페이스를 사용할 수 없습니다: ${why}`,
    en: `The workspace cannot be used: ${why}`,
  }),
  clusterRefuses: (why: string) => ({
    ko: `클러스터가 거부했습니다: ${why}`,
    en: `The cluster refused it: ${why}`,
  }),
  quotaReached: (why: string) => ({
    ko: `워크스페이스의 할당량에 도달했습니다: ${why}`,
    en: `The quota of the workspace is reached: ${why}`,
  }),

  tooManyRequests: (seconds: number) => ({
    ko: `요청이 너무 많습니다. ${seconds}초 뒤에 다시 시도하십시오.`,
    en: `Too many requests: try again in ${seconds} s.`,
  }),
  tooManyLogins: (seconds: number) => ({
    ko: `로그인 실패가 너무 많습니다. ${seconds}초 뒤에 다시 시도하십시오.`,
    en: `Too many failed logins: try again in ${seconds} s.`,
  }),

  internal: (requestId: string) => ({
    ko: `서버 내부 오류입니다. 요청 번호 ${requestId}를 관리자에게 알려 주십시오.`,
    en: `The server failed. Give the request id ${requestId} to an administrator.`,
  }),
  clusterAway: {
    ko: 'Kubernetes API 서버가 응답하지 않습니다. 잠시 뒤 다시 시도하십시오.',
    en: 'The Kubernetes API server does not answer: try again in a moment.',
  },
  outcomeUnknown: {
    ko: 'Kubernetes API 서버의 응답이 유실되었습니다. 변경이 적용되었는지 확인한 뒤 다시 시도하십시오.',
    en: 'The answer of the Kubernetes API server was lost: look whether the change was made before trying again.',
  },
  starting: {
    ko: '아직 클러스터를 읽는 중입니다. 잠시 뒤 다시 시도하십시오.',
    en: 'The cluster is still being read: try again in a moment.',
  },
  stale: {
    ko: '클러스터와 연결이 끊겨 세션을 확인할 수 없습니다. 잠시 뒤 다시 시도하십시오.',
    en: 'The cluster cannot be heard, so sessions cannot be checked: try again in a moment.',
  },
  busy: {
    ko: '서버가 바쁩니다. 잠시 뒤 다시 시도하십시오.',
    en: 'The server is busy: try again in a moment.',
  },
  stopping: {
    ko: '서버가 종료되는 중입니다. 다시 시도하십시오.',
    en: 'The server is shutting down: try again.',
  },
  noController: {
    ko: '워크스페이스의 네임스페이스가 아직 준비되지 않았습니다. SkyClust 컨트롤러가 실행 중인지 확인하십시오.',
    en: "The workspace's namespace is not ready yet: see that the SkyClust controller is running.",
  },
  auditFull: {
    ko: '감사 로그를 기록할 수 없어 변경을 받지 않습니다.',
    en: 'The audit log cannot be written, so no change is accepted.',
  },
  cloudSays: (provider: string, words: string) => ({
    ko: `${provider}의 응답: ${words}`,
    en: `${provider} says: ${words}`,
  }),
  cloudSlow: (provider: string, seconds: number) => ({
    ko: `${provider}이(가) ${seconds}초 안에 응답하지 않았습니다.`,
    en: `${provider} did not answer within ${seconds} s.`,
  }),
  credentialUnusable: (credential: string) => ({
    ko: `자격증명 ${credential}의 Secret을 읽을 수 없습니다.`,
    en: `The Secret of the credential ${credential} cannot be read.`,
  }),
} as const satisfies Record<string, Message | ((...details: never[]) => Message)>
