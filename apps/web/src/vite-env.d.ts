// Lets TypeScript know what Vite makes of style sheets and other files.
/// <reference types="vite/client" />
