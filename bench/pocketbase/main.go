// Command pocketbase is the rival of the API benchmark: a plain PocketBase with one public collection of the shape of
// bench/asset-table.yaml, indexed by its key. It is a module of its own, so that none of it comes into the product.
//
//	pocketbase serve --dir DIR --http ADDRESS
//
// With BENCH_SYNCHRONOUS=FULL in the environment its commits wait for the disk; without, they are as PocketBase makes them.
package main

import (
	"log"
	"os"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
)

func main() {
	config := pocketbase.Config{HideStartBanner: true}
	if mode := os.Getenv("BENCH_SYNCHRONOUS"); mode != "" {
		config.DBConnect = func(path string) (*dbx.DB, error) { return connect(path, mode) }
	}
	app := pocketbase.NewWithConfig(config)
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		if err := collection(e.App); err != nil {
			return err
		}
		return e.Next()
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

// collection makes the collection once. Empty rules let everybody in: the rival pays for no authentication.
func collection(app core.App) error {
	if _, err := app.FindCollectionByNameOrId("asset"); err == nil {
		return nil
	}
	c := core.NewBaseCollection("asset")
	public := ""
	c.ListRule, c.ViewRule, c.CreateRule = &public, &public, &public
	for _, name := range []string{"asset_tag", "serial_number", "name", "model", "manufacturer", "location", "status", "ip_address", "description"} {
		c.Fields.Add(&core.TextField{Name: name, Required: name == "asset_tag"})
	}
	c.Fields.Add(&core.EmailField{Name: "email"}, &core.DateField{Name: "purchase_date"}, &core.NumberField{Name: "cost"},
		&core.AutodateField{Name: "created", OnCreate: true}, &core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true})
	c.AddIndex("asset_key", true, "asset_tag", "")
	return app.Save(c)
}

// connect opens the database with PocketBase's own settings but one.
func connect(path, synchronous string) (*dbx.DB, error) {
	return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(200000000)&_pragma=synchronous("+synchronous+
		")&_pragma=foreign_keys(ON)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)")
}
