/** Bytes that restic 0.14 wrote, for the tests beside this file. A repository with nothing in it; its password is `geheim`. */

/** In the form of `packMasterKey`. */
export const RESTIC_KEY = 'hwyy7qGOBqs+ArlQom7pW8sSzPIJiQDEAkdjtGfWNEuY35t+TE65xXXKGVax3ejdtR08BZjm9QdUZhsMHBH9BQ==';

export const RESTIC_CONFIG =
  'c62340bbe22e818a00f2df2433ef7fde4f485742b55e352575f6d6cab1be76c66710f08933a9ed2412c9d7eb83c8fe093bdd3b20e2f77413' +
  'd8d35b55a6ba2c47a8d30fd6a1c4cf7ecb18be78d569797f58de81d858a739eee124a5de729e6b412503d100f30a574aa8581abdff31c8fb' +
  '35f54499e350b6dd795a18dbc9c70a53fb3695fbf1c59b0d77a2c573771dbd7b713ce409057e5e3479ba84';

export const RESTIC_KEY_FILE = `{"created":"2026-11-25T14:15:43.317728137Z","username":"root","hostname":"vm","kdf":"scrypt","N":32768,"r":8,"p":8,"salt":"5syWQTq7KAcHrZICMIH2Cnd3fYP1NgMdn0e5d0+XN0LRxpL4cY6e5qVbMusEX1EL8eAiGGGaK6e904yjQYLimA==","data":"g05UdNgPERCxDo2uvTa+W6Jy+e593iFZxchRWPPsy/cnnC2FVMgoytTG+0oMqM+m9l2N3zI8g7PvdLEjI7B+194K8y2A71K94UVSamo7X8CbUc/15u1AdA1hr3A+CWqLt2uf/AJAI+l4QgsuyNNIUPNptdIe7ia720rdfXwku/iJ5gpjhZlWaeI1ow3ebDXKAHFnlpyBw6Qel1VazFqPiQ=="}`;
