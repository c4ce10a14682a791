import { initializeApp } from "firebase/app";
import { initializeAuth, inMemoryPersistence, signInWithCustomToken } from "firebase/auth";
import { connectFirestoreEmulator, getFirestore } from "firebase/firestore";

/**
 * Signs the page in; gives the database, and the claims of the token that the rules see.
 *
 * With an emulator nobody is signed in: its database believes the claims that the configuration makes up.
 */
export async function signIn({ firebase, token, emulator }) {
  const app = initializeApp(firebase);
  const db = getFirestore(app);
  if (emulator) {
    connectFirestoreEmulator(db, emulator.host, emulator.port, { mockUserToken: emulator.claims });
    return { db, claims: emulator.claims };
  }
  // In memory only: the next person at a shared computer must not find a session.
  const auth = initializeAuth(app, { persistence: inMemoryPersistence });
  const { user } = await signInWithCustomToken(auth, await token());
  const { claims } = await user.getIdTokenResult();
  return { db, claims };
}
