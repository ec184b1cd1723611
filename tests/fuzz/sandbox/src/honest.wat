;; A guest that reads one attribute and allows. Each of its texts and lists has a place of its own.
(module
  (import "scruple:constraint/scim@0.1.0" "[method]operation.after" (func $after (param i32 i32)))
  (import "scruple:constraint/scim@0.1.0" "[method]document.read" (func $read (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "honest")
  (data (i32.const 80) "1.0.0")
  (data (i32.const 96) "Reads the name.")
  (data (i32.const 128) "{\"type\":\"string\"}")
  (data (i32.const 160) "User")
  ;; create, update, delete
  (data (i32.const 176) "\00\01\02")
  (data (i32.const 192) "userName")
  (data (i32.const 208) "directory:User")
  ;; Lists of one text each: resource types, reads, capabilities.
  (data (i32.const 240) "\a0\00\00\00\04\00\00\00" "\c0\00\00\00\08\00\00\00" "\d0\00\00\00\0e\00\00\00")
  ;; The descriptor: address and length of each field.
  (data (i32.const 512)
    "\40\00\00\00\06\00\00\00" "\50\00\00\00\05\00\00\00" "\60\00\00\00\0f\00\00\00" "\80\00\00\00\11\00\00\00"
    "\f0\00\00\00\01\00\00\00" "\b0\00\00\00\03\00\00\00" "\f8\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00"
    "\00\01\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "scruple:constraint/about@0.1.0#describe") (result i32) (i32.const 512))
  (func (export "scruple:constraint/about@0.1.0#check-settings") (param i32 i32) (result i32) (i32.const 2048))
  (func (export "scruple:constraint/check@0.1.0#evaluate") (param $op i32) (param i32 i32) (result i32)
    (call $after (local.get $op) (i32.const 1024))
    (if (i32.load8_u (i32.const 1024)) (then
      (call $read (i32.load (i32.const 1028)) (i32.const 192) (i32.const 8) (i32.const 1032))))
    ;; Nothing was written there: ok(allow).
    (i32.const 2048)))
