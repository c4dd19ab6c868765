-- Of the token of a session only its SHA-256 is kept from here on. Nobody is signed out.
UPDATE "operator_sessions" SET "token" = encode(sha256(convert_to("token", 'UTF8')), 'hex');
