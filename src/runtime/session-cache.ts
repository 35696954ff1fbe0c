/**
 * Equal models share one session: it opens with its first user and closes with its last.
 * Keeps nothing idle, since a session's memory is its owner's to give back; compile-cache.ts keeps executables alive.
 */
import type { Session } from './session.ts';

type Shared = { readonly session: Promise<Session>; users: number };

const open = new Map<string, Shared>();

export type SessionLease = {
  readonly session: Session;
  /** Gives this use back; further calls do nothing. */
  release(): Promise<void>;
};

/** The session of `key`, opened by `create` where no user holds it. */
export async function leaseSession(key: string, create: () => Promise<Session>): Promise<SessionLease> {
  const shared = open.get(key) ?? { session: create(), users: 0 };
  open.set(key, shared);
  shared.users++;
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    shared.users--;
    if (shared.users > 0) return;
    if (open.get(key) === shared) open.delete(key);
    await (await shared.session).dispose();
  };
  try {
    return { session: await shared.session, release: () => (released ??= release()) };
  } catch (error) {
    if (open.get(key) === shared) open.delete(key);
    throw error;
  }
}

/** Sessions open now, for tests of leaks. */
export const openSessions = (): number => open.size;
